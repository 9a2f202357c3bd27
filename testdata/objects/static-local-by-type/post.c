/* cflags: -g */
/* Two static locals of one name in one function go by their types. */
#include "../kernel.h"

int f(int n) { if (!n) { static long last; last -= 3; return source(last); } else { static int last; last += n; return source(last) + 1; } }
