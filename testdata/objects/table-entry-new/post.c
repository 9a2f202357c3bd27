/* A new entry of a table that the kernel walks, with a name of its own. */
#include "../kernel.h"

static int used section(".lsm_info.init") entry = 1;
int f(int n) { return source(n) + 1; }
