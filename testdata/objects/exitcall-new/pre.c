/* An exit call of what is built in is discarded at the last link: a new one is no change. */
#include "../kernel.h"

int f(int n) { return source(n); }
