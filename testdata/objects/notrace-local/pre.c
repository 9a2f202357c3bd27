/* A local function that must not be traced any more: a copy of it goes with its callers. */
#include "../kernel.h"

static noinline noclone int local(int n) { return source(n) + 1; }
int f(int n) { return local(n) + 2; }
