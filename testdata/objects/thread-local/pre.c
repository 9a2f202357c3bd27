/* Thread-local data: relocations that kernels do not know. */
#include "../kernel.h"

int f(int n) { return source(n); }
