/* cflags: -g */
/* Nobody reads the variable yet, so that the compiler leaves out what is written to it: the running kernel has nothing of it. */
#include "../kernel.h"

static int last = 5;
int note(int n) { last = n; return source(n); }
int get(void) { return source(last); }
