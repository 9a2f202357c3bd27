/* A pointer to the end of a literal, and one into it, belong to that literal, not to its neighbour. */
#include "../kernel.h"

int f(const char *p) { for (const char *q = "abcdef"; q != "abcdef" + 7; q++) sink(q); return printk("neighbour" + 2); }
