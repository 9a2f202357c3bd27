/* A callback gets another name, and what it calls another argument: objects that have the old one call it. */
#include "../kernel.h"

static noinline noclone int help(const int *q, int a) { return source(a) * 3 + *q; }
static void work_fn(void) { int n = 2; source(help(&n, 3)); }
int probe(void **p, int n) { *p = work_fn; return help(&n, n); }
