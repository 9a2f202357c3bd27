/* The address of the code itself (_THIS_IP_) is one in the copy; the address of the function is that of the original. */
#include "../kernel.h"

int f(int n) { here: sink(&&here); sink(f); return source(n) + 1; }
