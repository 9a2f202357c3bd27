/* An export that goes: the running kernel keeps it, whether its function stays or goes too. */
#include "../kernel.h"

#define EXPORT(sym) asm(".section \"___ksymtab+" #sym "\",\"a\"\n\t.balign 4\n\t.long " #sym " - .\n\t.long 0\n\t.long 0\n\t.previous\n")
int f(int n) { return source(n); }
int g(int n) { return source(n + 2); }
EXPORT(f);
EXPORT(g);
