/* cflags: -g */
/* A variable moves with the function that uses it, both under other names. */
#include "../kernel.h"

static long state_of_old;
static noinline int old(int n) { state_of_old += n; return source(state_of_old); }
int f(int n) { return old(n); }
