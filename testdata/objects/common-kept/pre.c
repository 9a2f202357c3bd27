/* cflags: -fcommon */
/* A common symbol that stays is one of the kernel's globals. */
#include "../kernel.h"

int shared;
int f(int n) { return shared + source(n); }
