/* The replacement code of an alternative calls the function: its owner is a caller. */
#include "../kernel.h"

static noinline noclone notrace used void inner(void) { source(1); }
void f(void) { asm volatile(ALTERNATIVE("call other", "call inner", 7)); source(4); }
