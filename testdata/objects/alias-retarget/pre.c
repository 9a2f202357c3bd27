/* A global name that is an alias of another function: no byte of code differs. */
#include "../kernel.h"

int f(int n) { return source(n) + 1; }
int g(int n) { return source(n) + 2; }
extern int name(int n) __attribute__((alias("f")));
