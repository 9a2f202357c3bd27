/* Thread-local data: relocations that kernels do not know. */
#include "../kernel.h"

static __thread int mine;
int f(int n) { return mine++ + source(n); }
