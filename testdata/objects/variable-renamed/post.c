/* A new variable, and one that is no longer used: said, not refused. */
#include "../kernel.h"

static int fresh;
int f(int n) { fresh += n; return source(fresh); }
