/* Assembly of a C file: another handler of an exception, and a table that only other files use. */
#include "../kernel.h"

asm(".text\nquiet:\tmov (%rdi), %rax\n\tret\n.pushsection __ex_table, \"a\"\n.balign 4\n.long quiet - .\n.long quiet + 3 - .\n.long 1\n.popsection");
asm(".pushsection .rodata\n.globl tbl\ntbl:\t.long 1, 2, 3\n.popsection");
int f(int n) { return source(n); }
