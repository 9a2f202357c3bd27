/* A static local that did not exist is new. */
#include "../kernel.h"

int f(int n) { return source(n); }
