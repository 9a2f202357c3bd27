/* A weak function whose caller changes: the caller goes on calling the definition that the kernel uses. */
#include "../kernel.h"
weak noinline int a(int n) { return source(n) + 1; }
int f(int n) { return a(n) + 2; }
