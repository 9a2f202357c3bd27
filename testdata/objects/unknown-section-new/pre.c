/* A new entry in a section that is not known. */
#include "../kernel.h"

int f(int n) { return source(n); }
