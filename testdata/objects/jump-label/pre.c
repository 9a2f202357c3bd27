/* A static key of another unit, one of this unit, and a new one; the entries come along. */
#include "../kernel.h"

extern struct static_key theirs;
static struct static_key own;
int f(int n) { if (static_branch(&theirs)) source(n); if (static_branch(&own)) source(2); return n; }
void enable(void) { own.enabled = 1; }
