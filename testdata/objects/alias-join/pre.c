/* Two functions that become two names of one: the second one changes. */
#include "../kernel.h"

int f(int n) { return source(n) + 1; }
int g(int n) { return source(n) + 2; }
int user(int n) { return source(n); }
