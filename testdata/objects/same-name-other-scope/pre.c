/* cflags: -g */
/* A variable of another function, inlined where one of its name was, is another variable: it begins anew. */
#include "../kernel.h"

void f(int a) { static int count; if (count++ < 5) source(a); }
void g(int a) { source(a + 1); }
