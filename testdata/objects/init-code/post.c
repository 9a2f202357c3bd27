/* Code in .init.text. */
#include "../kernel.h"

int section(".init.text") f(int n) { return source(n) + 1; }
