/* Two functions that become two names of one: the second one changes. */
#include "../kernel.h"

int f(int n) { return source(n) + 1; }
extern int g(int n) __attribute__((alias("f")));
int user(int n) { return source(n) + 5; }
