/* An original that has the name of a carried function gets another symbol. */
#include "../kernel.h"

noinline noclone int f(int n) { return source(n); }
int (*g(void))(int) { return f; }
