/* One of two local functions of one section grows: the distance of its neighbours changes, but not what they call. */
#include "../kernel.h"

static noinline noclone int section(".sched.text") g(int n) { return source(n) + source(n + 1); }
static noinline noclone int section(".sched.text") h(int n) { return source(n) - source(n + 2) + source(n * 5); }
int section(".sched.text") f(int n) { return g(n) * 2 + h(n); }
