/* A static call that the patch defines. */
#include "../kernel.h"

asm(".pushsection .static_call.text,\"ax\"\n.globl __SCT__added\n__SCT__added: jmp source\n.type __SCT__added,@function\n.size __SCT__added,.-__SCT__added\n.popsection");
extern int __SCT__added(int n);
int f(int n) { return __SCT__added(n) + 1; }
