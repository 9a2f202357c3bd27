/* cflags: -g */
/* Two variables that exchanged their names. */
#include "../kernel.h"

static int a, b;
int f(int n) { a += n; return source(a); }
int g(int n) { b -= n; return source(b + 1); }
