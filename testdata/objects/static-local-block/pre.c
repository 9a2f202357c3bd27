/* cflags: -g */
/* A static local that moves into a block of its function stays what it is. */
#include "../kernel.h"

int f(int n) { static int calls; calls += n; return source(calls); }
