/* The place of a lock prefix comes along. */
#include "../kernel.h"

void f(int *p) { asm volatile(LOCK "incl %0" : "+m" (*p)); source(1); }
