/* The same without debug information: nothing tells whether the source still reads the variable, which is said. */
#include "../kernel.h"

static unsigned int limit = 2000;
int show(void) { return source(limit); }
int store(int n) { if (source(n)) return -22; limit = n; return n; }
