/* cflags: -g */
/* A static local of another type is the same state, which is kept in another way. */
#include "../kernel.h"

int f(int n) { static int sum; sum += n; return source(sum); }
