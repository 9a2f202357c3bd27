/* A new variable of another size in the place of one that is gone: what that held may have to be kept. */
#include "../kernel.h"

static int old;
int f(int n) { old += n; return source(old); }
