/* A new per-CPU variable goes into the one per-CPU section that a module has. */
#include "../kernel.h"

int f(int n) { return source(n); }
