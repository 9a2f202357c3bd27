/* An original that has the name of a carried function gets another symbol. */
#include "../kernel.h"

noinline noclone int f(int n) { return source(n) + 1; }
int (*g(void))(int) { f(1); return f; }
