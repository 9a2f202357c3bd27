/* Static locals of one name in two functions go by their functions, though numbers are exchanged. */
#include "../kernel.h"

int f(int n) { static int count; count += n; return source(count); }
int g(int n) { static int count; count -= n; return source(count); }
