/* A table of numbers whose address data holds. */
#include "../kernel.h"

static const int table[] = { 1, 2, 33 };
const int *const where = table;
int f(int n) { return table[n] + source(n); }
