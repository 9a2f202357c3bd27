/* Functions that must not be traced any more: a local one goes with its callers, of others livepatch would do what the patch forbids. */
#include "../kernel.h"

static noinline noclone notrace int local(int n) { return source(n) + 1; }
int f(int n) { return local(n) + 2; }
notrace int global(int n) { return source(n) + 3; }
notrace section(".noinstr.text") int quiet(int n) { return source(n) + 4; }
