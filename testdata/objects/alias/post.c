/* A function with two names is replaced once; calls by either name go to the copy. */
#include "../kernel.h"

noinline noclone int f(int n) { return source(n) + 1; }
extern int alias(int n) __attribute__((__alias__("f")));
int g(int n) { return alias(n) + 2; }
