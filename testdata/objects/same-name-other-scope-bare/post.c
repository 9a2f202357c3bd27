/* The same without debug information, which would tell the scope: refused. */
#include "../kernel.h"

static inline void helper(int a) { static int count; count += a; source(count); }
void f(int a) { source(a); helper(a); }
void g(int a) { helper(a + 1); }
