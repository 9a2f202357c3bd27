/* cflags: -g */
/* One variable becomes two. */
#include "../kernel.h"

static int only_a; static long only_b;
int f(int n) { only_a += n; only_b -= n; return source(only_a); }
