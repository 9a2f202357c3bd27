/* Two names of one function that become two functions: one of them keeps what the name had, the other is a function of its own. */
#include "../kernel.h"

int f(int n) { return source(n) + 1; }
extern int g(int n) __attribute__((alias("f")));
int user(int n) { return source(n); }
