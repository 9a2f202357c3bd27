/* Only the line in __bug_table changes: no change. */
#include "../kernel.h"

int f(int n) { if (n > 9) BUG_ENTRY(1); return source(n); }
