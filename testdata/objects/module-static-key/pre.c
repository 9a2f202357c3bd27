/* A branch on another static key of the module. */
#include "../kernel.h"

extern struct static_key their_key;
int f(int n) { if (static_branch(&their_key)) source(n); return n; }
