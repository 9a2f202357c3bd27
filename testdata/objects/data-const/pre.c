/* A constant that new code writes to: the kernel keeps it in read-only memory. The other way round is fine. */
#include "../kernel.h"

static const int was_const = 4;
static int was_variable = 4;
int f(int n) { was_variable += n; sink(&was_variable); return source(n); }
const int *p(void) { return &was_const; }
