/* cflags: -g */
/* The compiler makes a constant of a table, and reads one entry of it at compile time. */
#include "../kernel.h"

static int table[4] = { 1, 2, 3, 4 };
int first(void) { return source(table[0]); }
int any(unsigned n) { return source(table[n & 3]); }
void set(int n) { source(n); }
