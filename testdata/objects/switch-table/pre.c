/* cflags: -fjump-tables */
/* A switch compiled to a table of addresses: the table comes along, and its addresses are in the copy. */
#include "../kernel.h"

int f(int n) { switch (n) { case 0: return source(1); case 1: return source(5); case 2: sink(0); return 9; case 3: return source(8) + 1; case 4: return source(n) * 2; case 5: return 77; default: return 0; } }
int g(int n) { switch (n) { case 0: return source(2); case 1: return source(6); case 2: sink(0); return 8; case 3: return source(9) + 1; case 4: return source(n) * 3; case 5: return 78; default: return 1; } }
