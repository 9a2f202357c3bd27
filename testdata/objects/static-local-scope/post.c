/* A static local that became a variable of the unit may have to keep its state. */
#include "../kernel.h"

static int state;
int f(int n) { state += n; return source(state) + 1; }
