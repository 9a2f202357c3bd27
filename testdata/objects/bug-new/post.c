/* A warning is added: its entry comes along. */
#include "../kernel.h"

int f(int n) { if (n > 9) BUG_ENTRY(1); return source(n); }
