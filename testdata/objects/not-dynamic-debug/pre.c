/* A variable that happens to be called like those of dynamic debug. */
#include "../kernel.h"

static const unsigned descriptor[3] = { 1, 2, 3 };
int f(int n) { return descriptor[n] + source(n); }
