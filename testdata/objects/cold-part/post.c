/* Only the part that was moved out of the hot path changes: the function changes with it. */
#include "../kernel.h"

extern cold void complain(int n);
int f(int n) { if (unlikely(n > 9)) { complain(n); sink("other"); return -1; } return source(n); }
int g(int n) { if (unlikely(n > 8)) { complain(n); sink("cold"); return -2; } return source(n); }
