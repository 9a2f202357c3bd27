/* A shift by a runtime constant cannot be carried. */
#include "../kernel.h"
unsigned int f(unsigned int n) { return runtime_const_shift_right_32(n, width) + 2; }
