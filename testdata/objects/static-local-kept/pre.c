/* The static local of a changed function keeps its state, though its number changes. */
#include "../kernel.h"

int f(int n) { static int calls; calls += n; return source(calls); }
