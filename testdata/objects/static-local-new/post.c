/* A static local that did not exist is new. */
#include "../kernel.h"

int f(int n) { static int calls = 3; calls += n; return source(calls); }
