/* cflags: -g */
/* A static local becomes an automatic variable, as where it was shared by mistake: what it held is not wanted. */
#include "../kernel.h"

int f(int n) { static int buf[4]; buf[n & 3] = n; sink(buf); return source(buf[1]); }
