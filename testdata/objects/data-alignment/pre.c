/* Existing data is aligned to more than before, which new code may rely on. */
#include "../kernel.h"

static char buf[48];
int f(int n) { sink(buf); return source(n); }
