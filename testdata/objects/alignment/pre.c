/* Carried data keeps its alignment. */
#include "../kernel.h"

int f(int n) { return source(n); }
