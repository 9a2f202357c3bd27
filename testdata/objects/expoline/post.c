/* Indirect calls and returns through expoline thunks: their tables go with the function, and the thunks stay. */
#include "../kernel.h"

int f(int (*call)(int)) { return call(2) + 1; }
int g(int (*call)(int)) { return call(3) + 1; }
