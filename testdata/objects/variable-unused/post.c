/* cflags: -g */
/* The declaration stays in the source without any user: debug information does not tell that from what the compiler dropped. */
#include "../kernel.h"

static int state;
int f(int n) { return source(n); }
