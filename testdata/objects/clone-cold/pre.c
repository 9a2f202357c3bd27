/* The part split off a clone is numbered with its clone: no change but of the new function. */
#include "../kernel.h"
extern cold void trouble(int n);
static noinline int g(int n, int k) { if (unlikely(n > k)) { trouble(n); trouble(k); return source(k); } return source(n) + k; }
int f(int n) { return g(n, 7); }
int h(int n) { return g(n + 1, 7); }
