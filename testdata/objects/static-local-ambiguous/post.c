/* Two static locals of one name in one function: exchanged blocks would exchange their state. */
#include "../kernel.h"

int f(int n) { if (!n) { static int last; last -= 2; return source(last); } else { static int last; last += n; return source(last) + 1; } }
