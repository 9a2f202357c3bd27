/* cflags: -g */
/* A static local moves into a helper with all code that uses it: the same state, or another one. */
#include "../kernel.h"

static inline void once(int n) { static int ready; if (!ready) { ready = 1; source(n); } }
int f(int n) { once(n); return source(n); }
