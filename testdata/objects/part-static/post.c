/* A static local of a function that the compiler split keeps its state when the function is split no more. */
#include "../kernel.h"
extern int big(int a, int b, int c);
static noinline int g(int n) { static int calls; calls += n; big(n, calls, 1); big(n, calls, 2); big(n, calls, 3); return calls; }
int f(int n) { return g(n) + 1; }
int h(int n) { return g(n) + 2; }
int i(int n) { return g(n) + 3; }
