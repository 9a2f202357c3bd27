/* Two local functions of one section: the assembler fills in the distance of the call, without a relocation. */
#include "../kernel.h"

static noinline noclone int section(".sched.text") g(int n) { return source(n) + source(n + 1); }
static noinline noclone int section(".sched.text") h(int n) { return source(n) - source(n + 2); }
int section(".sched.text") f(int n) { return g(n) * 2 + h(n) + 1; }
