/* A call through a static call of the unit keeps its key in the symbol table, for objtool. */
#include "../kernel.h"

struct key { void *func; } __SCK__mine = { source };
asm(".pushsection .static_call.text,\"ax\"\n.globl __SCT__mine\n__SCT__mine: jmp source\n.type __SCT__mine,@function\n.size __SCT__mine,.-__SCT__mine\n.popsection");
extern int __SCT__mine(int n), __SCT__theirs(int n);
extern struct key __SCK__theirs;
static used section(".discard.addressable") void *keep = &__SCK__theirs;
int f(int n) { return __SCT__mine(n) + __SCT__theirs(n); }
