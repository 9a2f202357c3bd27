/* Existing data is aligned to more than before, which new code may rely on. */
#include "../kernel.h"

static char buf[48] __attribute__((__aligned__(64)));
int f(int n) { if ((unsigned long)buf & 63) return -1; sink(buf); return source(n) + 1; }
