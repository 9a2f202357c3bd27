/* cflags: -fpatchable-function-entry=16,16 -fcf-protection=branch */
/* Functions with ENDBR64 and padding in front of them keep both. */
#include "../kernel.h"

section(".sched.text") noinline int a(int n) { return source(n) + 7; }
section(".sched.text") noinline int b(int n) { return source(n) + a(n) + 1; }
int f(int n) { return b(n) + 1; }
int g(int n) { return b(n) + 2; }
