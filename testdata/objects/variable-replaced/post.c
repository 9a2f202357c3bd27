/* A new variable of another size in the place of one that is gone: what that held may have to be kept. */
#include "../kernel.h"

static long fresh;
int f(int n) { fresh += n; return source(fresh); }
