/* cflags: -g */
/* The same of a static local in a function that is inlined. */
#include "../kernel.h"

static inline int limited(int n, int set) { static int limit = 7; if (set) limit = n; return limit; }
int get(int n) { return source(limited(n, 0)); }
int set(int n) { return source(limited(n, 1)); }
