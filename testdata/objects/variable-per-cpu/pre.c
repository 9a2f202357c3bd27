/* cflags: -g */
/* A variable becomes a per-CPU one of another name. */
#include "../kernel.h"

static long hits;
int f(int n) { hits += n; return source(hits); }
