/* A new global function and variable: another unit of the update may need them, even if nothing here does. */
#include "../kernel.h"

int f(int n) { return source(n); }
