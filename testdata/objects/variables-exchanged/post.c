/* cflags: -g */
/* Two variables that exchanged their names. */
#include "../kernel.h"

static int a, b;
int f(int n) { b += n; return source(b); }
int g(int n) { a -= n; return source(a + 1); }
