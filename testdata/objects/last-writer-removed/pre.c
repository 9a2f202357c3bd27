/* cflags: -g */
/* Nobody writes the variable any more, and the compiler puts its initial value into the code. */
#include "../kernel.h"

static unsigned int limit = 2000;
int show(void) { return source(limit); }
int store(int n) { if (source(n)) return -22; limit = n; return n; }
