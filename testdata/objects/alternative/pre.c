/* Only the replacement code of an alternative changes; it calls something. */
#include "../kernel.h"

void f(void) { asm volatile(ALTERNATIVE("call one", "call two", 7)); source(1); }
void g(void) { asm volatile(ALTERNATIVE("", "nop; call three", 8)); source(1); }
