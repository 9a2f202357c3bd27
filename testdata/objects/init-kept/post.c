/* A function that is init code no more: the running kernel has freed it. */
#include "../kernel.h"

static noinline noclone notrace int setup(int n) { return source(n) + 1; }
int f(int n) { return setup(n) + 2; }
