/* A new variable, and one of another size that is no longer used: said, not refused. */
#include "../kernel.h"

static int old;
int f(int n) { old += n; return source(old); }
