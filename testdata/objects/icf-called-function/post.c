/* Two functions that the compiler finds to be the same (ICF) and makes one; the patch changes one of them, which is only called. */
#include "../kernel.h"

static noinline int a(int n) { return source(n) * 11 + 8; }
static noinline int b(int n) { return source(n) * 11 + 9; }
int use(int n) { return a(n); }
int other(int n) { return b(n) + 1; }
