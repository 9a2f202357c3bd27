/* A static call that the patch defines. */
#include "../kernel.h"

int f(int n) { return source(n); }
