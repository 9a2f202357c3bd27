/* cflags: -g */
/* The function that declares the variable stays in the source, and nobody calls it any more: no variable is lost that anything reads. */
#include "../kernel.h"

static inline int helper(int n) { static int calls; calls += n; return source(calls); }
int f(int n) { return helper(n); }
