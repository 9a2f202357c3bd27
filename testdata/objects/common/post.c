/* cflags: -fcommon */
/* Common symbols have no place in the object. That of pre is a global of the kernel; a new one cannot be carried. */
#include "../kernel.h"

int shared, added;
int f(int n) { return shared + source(n + 1); }
int g(int n) { return source(n) + added; }
