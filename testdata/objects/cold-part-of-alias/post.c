/* A function whose alias comes first in the symbol table, and whose cold part is named after the other name. */
#include "../kernel.h"

asm(".globl alias");
void cold oops(void);
int named(int n) { if (unlikely(n)) { oops(); sink(&n); return 4; } return source(n); }
extern int alias(int n) __attribute__((alias("named")));
