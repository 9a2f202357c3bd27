/* A new entry in a section that is not known. */
#include "../kernel.h"

int f(int n) { return source(n); }
asm(".pushsection mystery,\"a\"\n\t.quad 7\n.popsection");
