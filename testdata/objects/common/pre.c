/* cflags: -fcommon */
/* A common symbol has no place in the object. */
#include "../kernel.h"

int shared;
int f(int n) { return shared + source(n); }
