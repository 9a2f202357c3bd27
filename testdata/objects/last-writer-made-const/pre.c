/* cflags: -g */
/* The source itself makes a constant of the variable: new code means that. */
#include "../kernel.h"

static int limit = 4;
int get(int n) { return source(limit + n); }
void set(int n) { limit = n; }
