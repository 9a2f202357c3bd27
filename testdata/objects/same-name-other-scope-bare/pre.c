/* The same without debug information, which would tell the scope: refused. */
#include "../kernel.h"

void f(int a) { static int count; if (count++ < 5) source(a); }
void g(int a) { source(a + 1); }
