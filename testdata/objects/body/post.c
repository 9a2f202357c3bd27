/* One function changes, its neighbour stays. */
#include "../kernel.h"

int f(int n) { return source(n + 2); }
int g(int n) { return source(n) * 3; }
