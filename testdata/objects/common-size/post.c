/* cflags: -fcommon */
/* A common symbol that got another size. */
#include "../kernel.h"

int shared[2];
int f(int n) { return shared[0] + source(n); }
