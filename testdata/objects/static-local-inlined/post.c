/* cflags: -g */
/* A static local of an inlined function keeps its state though other functions have it inlined now. */
#include "../kernel.h"

static inline int count(int n) { static int calls; calls += n; return calls; }
int f(int n) { return source(n) + 1; }
int g(int n) { return source(n) + 2; }
int h(int n) { return source(count(n)); }
