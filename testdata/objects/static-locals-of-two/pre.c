/* cflags: -g */
/* Static locals of one name in two functions, of which each takes over code of the other, go by their functions. */
#include "../kernel.h"

int f(int n) { static int count; count += n; return source(count); }
int g(int n) { static int count; count -= n; return source(count + 1); }
