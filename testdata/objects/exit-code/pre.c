/* Exit code of what is built in never runs. */
#include "../kernel.h"

static void used section(".exit.text") leave(void) { source(1); }
int f(int n) { return source(n); }
