/* The flags in __bug_table change. */
#include "../kernel.h"

int f(int n) { if (n > 9) BUG_ENTRY(3); return source(n); }
