/* The static local of a changed function keeps its state, though its number changes. */
#include "../kernel.h"

int e(int n) { static int other = 1; return other++ + n; }
int f(int n) { static int calls; calls += n; return source(calls) + 1; }
