/* cflags: -g */
/* A variable moves with the function that uses it, both under other names. */
#include "../kernel.h"

static long state_of_new;
static noinline int other(int n, int m) { state_of_new += n; return source(state_of_new + m); }
int f(int n) { return other(n, 2); }
