/* Two clones of one function are numbered otherwise: no change but of the new caller. */
#include "../kernel.h"
static noinline int g(int n, int k) { return source(n) + source(k + n) + k; }
int f(int n) { return g(n, 7) + g(n + 2, 7); }
int h(int n) { return g(n, 9) + g(n + 3, 9); }
int i(int n) { return source(n); }
