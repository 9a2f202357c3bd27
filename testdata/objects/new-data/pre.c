/* New variables come along: zero, initialised, constant, and one that points to a function. */
#include "../kernel.h"

int f(int n) { return source(n); }
static noinline int g(int n) { return source(n) + 1; }
int h(int n) { sink(g); return g(n); }
