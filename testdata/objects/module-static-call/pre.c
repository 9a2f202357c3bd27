/* A static call of the module goes through its trampoline, under a name by which objtool does not know it. */
#include "../kernel.h"

extern int __SCT__their_call(int n), __SCT__call(int n);
extern char __SCK__their_call, __SCK__call;
static used section(".discard.addressable") void *keep[] = { &__SCK__their_call, &__SCK__call };
int f(int n) { return __SCT__their_call(n) + __SCT__call(n); }
