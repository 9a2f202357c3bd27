/* A new initcall, whose entry has no name: the refusal calls it by its function. */
#include "../kernel.h"

static used noinline int section(".init.text") start(void) { return source(1); }
int f(int n) { return source(n) + 1; }
asm(".section \".initcall7.init\",\"a\"\n\t.balign 4\n\t.long start - .\n\t.previous\n");
