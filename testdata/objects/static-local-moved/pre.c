/* cflags: -g */
/* A static local moves into a helper with all code that uses it: the same state, or another one. */
#include "../kernel.h"

int f(int n) { static int ready; if (!ready) { ready = 1; source(n); } return source(ready + n); }
