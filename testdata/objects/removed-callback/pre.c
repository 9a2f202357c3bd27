/* A callback gets another name, and what it calls another argument: objects that have the old one call it. */
#include "../kernel.h"

static noinline noclone int help(int a) { return source(a) * 3; }
static noinline noclone int between(int a) { return help(a) + 1; }
static void work(void) { source(between(3)); }
static noinline noclone int idle(int a) { return help(a) + 2; }
int probe(void **p, int n) { *p = work; return help(n) + idle(n); }
