/* Code that passes the address of its entry in __bug_table on: to its own, not to that of its neighbour. */
#include "../kernel.h"


int f(int n) { if (unlikely(n > 9)) WARN_FORMAT("f %d", 1, n); return source(n); }
int g(int n) { if (unlikely(n > 9)) { WARN_FORMAT("first %d", 1, n); WARN_FORMAT("g %d", 1, n); } return source(n); }
int h(int n) { if (unlikely(n > 9)) WARN_FORMAT("other %d", 1, n); return source(n); }
