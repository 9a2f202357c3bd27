/* The flag of DO_ONCE stays the original: a copy would let its code run twice. */
#include "../kernel.h"

void f(void) { static section(".data.once") _Bool ___done; if (!___done) { ___done = 1; source(1); } source(2); }
