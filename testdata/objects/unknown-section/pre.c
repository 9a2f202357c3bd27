/* A section that is not known points into changed code. */
#include "../kernel.h"

int f(int n) { asm volatile("1:\tnop\n.pushsection mystery,\"a\"\n\t.quad 1b\n.popsection\n"); return source(n) + 1; }
