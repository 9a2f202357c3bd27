/* cflags: -g */
/* Nobody reads the variable any more, and the compiler leaves out what is written; code that comes back after an undo reads it. */
#include "../kernel.h"

static int last;
int note(int n) { last = n; return source(n); }
int get(void) { return source(last); }
