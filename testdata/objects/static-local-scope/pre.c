/* A static local that became a variable of the unit may have to keep its state. */
#include "../kernel.h"

int f(int n) { static int state; state += n; return source(state); }
