/* Pointers to a changed function stay those of the original; direct calls go to the copy. */
#include "../kernel.h"

static noinline noclone int f(int n) { return source(n) + 2; }
struct ops { int (*f)(int); } ops = { f };
int g(int n) { sink(f); return f(n) + 1; }
