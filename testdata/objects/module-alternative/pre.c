/* An alternative over a call that is filled in late. */
#include "../kernel.h"

extern int their_function(int n);
void f(int *n) { asm volatile(ALTERNATIVE("call their_function", "nop", 5)); *n = 1; }
void g(int *n) { asm volatile(ALTERNATIVE("", "nop; call their_other", 5)); *n = 2; }
void h(int *n) { asm volatile(ALTERNATIVE("nop", "cld", 5)); *n = their_function(3); }
