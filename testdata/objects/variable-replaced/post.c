/* A new variable, and one of another size that is no longer used: said, not refused. */
#include "../kernel.h"

static long fresh;
int f(int n) { fresh += n; return source(fresh); }
