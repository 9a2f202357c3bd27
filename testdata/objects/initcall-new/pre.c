/* A new initcall, whose entry has no name: the refusal calls it by its function. */
#include "../kernel.h"

static used noinline int section(".init.text") start(void) { return source(1); }
int f(int n) { return source(n); }
