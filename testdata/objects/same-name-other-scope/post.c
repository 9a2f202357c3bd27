/* cflags: -g */
/* A variable of another function, inlined where one of its name was, is another variable: it begins anew. */
#include "../kernel.h"

static inline void helper(int a) { static int count; count += a; source(count); }
void f(int a) { source(a); helper(a); }
void g(int a) { helper(a + 1); }
