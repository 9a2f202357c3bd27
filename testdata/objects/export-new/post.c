/* A new exported symbol takes effect with the next boot. */
#include "../kernel.h"

int f(int n) { return source(n) + 1; }
asm(".pushsection ___ksymtab+f,\"a\"\n\t.long f - .\n\t.long 0\n\t.long 0\n.popsection");
