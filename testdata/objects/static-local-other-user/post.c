/* The variable vanished from one function and one of its name appeared in another: not the same for certain. */
#include "../kernel.h"

int f(int n) { return source(n); }
int g(int n) { static int done; done += n; return source(done); }
int h(int n) { return g(n) + 1; }
