/* cflags: -g */
/* Two variables become one. */
#include "../kernel.h"

static struct { int a; long b; } both;
int f(int n) { both.a += n; both.b -= n; return source(both.a); }
