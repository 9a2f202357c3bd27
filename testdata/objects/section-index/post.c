/* An index before the start of a table names a place outside of it. */
#include "../kernel.h"

static used int table[4] = { 1, 2, 3, 4 };
int f(long n) { int v; asm("mov table-4(,%1,4),%0" : "=r" (v) : "r" (n)); return v + 2; }
