/* cflags: -g */
/* A variable of file scope becomes a static local: it may have to keep its state. */
#include "../kernel.h"

int f(int n) { static int state; state += n; return source(state) + 1; }
