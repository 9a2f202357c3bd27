/* A jump to another function at the end is a call: to the copy when that changed too, to the original otherwise. */
#include "../kernel.h"

noinline noclone int f(int n) { return source(n) + 2; }
noinline noclone int g(int n) { return source(n) + 2; }
int h(int n) { return n > 4 ? f(n) : g(n); }
