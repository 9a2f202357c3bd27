/* A warning is added: its entry comes along. */
#include "../kernel.h"

int f(int n) { return source(n); }
