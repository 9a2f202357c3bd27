/* A function that ftrace cannot redirect is carried as a copy, and its callers are replaced; code that ran at boot is left alone. */
#include "../kernel.h"

static noinline noclone notrace int inner(int n) { return source(n) + 1; }
static noinline noclone notrace int middle(int n) { return inner(n) + source(2); }
int f(int n) { return middle(n) + 3; }
int g(int n) { return inner(n) + 4; }
int h(int n) { return source(n); }
int section(".init.text") boot(int n) { return inner(n) + 5; }
