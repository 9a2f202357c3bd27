/* cflags: -g */
/* One variable becomes two. */
#include "../kernel.h"

static struct { int a; long b; } both;
int f(int n) { both.a += n; both.b -= n; return source(both.a); }
