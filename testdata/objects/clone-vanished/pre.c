/* A clone of g vanishes, since h now calls it too with another number: f calls the whole function. */
#include "../kernel.h"
static noinline int g(int n, int k) { return source(n) + source(k) + n; }
int f(int n) { return g(n, 7) + 1; }
int h(int n) { return source(n) + 2; }
