/* cflags: -fsanitize=bounds -fsanitize=bounds-strict -fsanitize=shift */
/* Checks of UBSAN report their line: that it moved is no change, another type or bound is one. Their file
 * is told here, since the path of this one would be part of the object. */
#include "../kernel.h"
#line 6 "patched/unit.c"
static int table[8], other[10];
int f(int n) { return table[n]; }
int g(int n) { return other[n & 15]; }
int h(int n) { return 1 << n; }
