/* The address of a function that ftrace cannot redirect is kept somewhere: refused. */
#include "../kernel.h"

static noinline noclone notrace int inner(int n) { return source(n) + 2; }
int f(int n) { sink(inner); return inner(n); }
