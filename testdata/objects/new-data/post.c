/* New variables come along: zero, initialised, constant, and one that points to a function. */
#include "../kernel.h"

static int zero;
static int seven = 7;
static const int table[4] = { 1, 2, 3, 4 };
static int (*call)(int);
static noinline int g(int n);
static int (*to_g)(int) = g;
int f(int n) { sink(&to_g); call = to_g; zero += n; seven++; return source(n) + table[n & 3] + call(n) + seven; }
static noinline int g(int n) { return source(n) + 1; }
int h(int n) { sink(g); return g(n); }
