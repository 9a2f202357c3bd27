/* Functions with a local entry point, in one section; variables of other units through .toc; a barrier's table. */
#include "../kernel.h"

extern int here, there;
static noinline int section(".sched.text") callee(int n) { return source(n + here) + 1; }
int section(".sched.text") f(int n) { return callee(n) + callee(n + there); }
int section(".sched.text") g(int n) { asm volatile(BARRIER_NOSPEC); return callee(n) + 1; }
