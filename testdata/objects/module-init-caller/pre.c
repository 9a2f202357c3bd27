/* A module that is loaded after the update runs its init code as shipped, with the old helper. */
#include "../kernel.h"

static noinline noclone notrace int helper(int n) { return source(n) + 1; }
static noinline noclone notrace int other(int n) { return source(n) + 1 + 1; }
int f(int n) { return helper(n) + other(n); }
int section(".init.text") notrace setup(int n) { return helper(n) + 2; }
