/* A switch compiled to a table of values: only the table changes, which changes its function. */
#include "../kernel.h"

int f(int n) { switch (n) { case 0: return 31; case 1: return 9; case 2: return 77; case 3: return 4; case 4: return 1023; default: return 0; } }
int g(int n) { switch (n) { case 0: return 3; case 1: return 99; case 2: return 7; case 3: return 44; case 4: return 23; default: return 0; } }
