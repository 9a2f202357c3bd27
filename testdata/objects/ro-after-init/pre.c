/* A variable that becomes read-only after boot: the running kernel's one stays writable, which is said. */
#include "../kernel.h"

int limit = 5;
int f(int n) { return source(n) + limit; }
