/* Assembly without type and size in a .c file is not ignored. */
#include "../kernel.h"

asm(".text\n.globl thunk\nthunk:\n\tmov $2,%eax\n\tret\n");
int f(int n) { return source(n) + 1; }
