/* A weak function: another definition may be in the kernel. */
#include "../kernel.h"

weak int f(int n) { return source(n) + 1; }
