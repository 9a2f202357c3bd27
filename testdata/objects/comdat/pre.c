/* Code in a COMDAT group is carried outside of any group, so that the linker cannot drop it. */
#include "../kernel.h"

asm(".section .text.thunk,\"axG\",@progbits,thunk,comdat\n.type thunk,@function\nthunk: call __fentry__\nmov $1,%eax\nret\n.size thunk,.-thunk\n.text\n");
extern int thunk(void);
int f(int n) { return source(n) + thunk(); }
