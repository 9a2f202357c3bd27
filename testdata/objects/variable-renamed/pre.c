/* A variable under another name: what the running kernel has in it would be lost. */
#include "../kernel.h"

static int old;
int f(int n) { old += n; return source(old); }
