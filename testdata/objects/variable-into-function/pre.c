/* cflags: -g */
/* A variable of file scope becomes a static local: it may have to keep its state. */
#include "../kernel.h"

static int state;
int f(int n) { state += n; return source(state); }
