/* A variable under another name: what the running kernel has in it would be lost. */
#include "../kernel.h"

static int fresh;
int f(int n) { fresh += n; return source(fresh); }
