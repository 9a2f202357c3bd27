/* Only the feature that selects an alternative changes. */
#include "../kernel.h"

void f(void) { asm volatile(ALTERNATIVE("call one", "call two", 7)); source(1); }
