/* cflags: -fno-toplevel-reorder */
/* The end of an array and the start of a new neighbour are the same place in the object: refused. */
#include "../kernel.h"

static long section(".data..read_mostly") list[3] = { 1, 2, 3 };
static long section(".data..read_mostly") last = 9;
int f(void) { for (long *p = list; p != list + 3; p++) source(*p); return 1; }
void g(void) { list[0]++; last++; }
