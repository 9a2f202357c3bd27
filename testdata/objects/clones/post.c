/* A clone vanishes and another appears; the callers change with them. */
#include "../kernel.h"

static noinline int sum(int a, int b) { return source(a) + source(b) + b; }
int f(int n) { return sum(n, 4) + 1; }
int g(int n) { return sum(n, n) + 2; }
