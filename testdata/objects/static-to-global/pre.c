/* A static function becomes global, and a global one static: no change of their code, and callers stay. */
#include "../kernel.h"
static noinline noclone int a(int n) { return source(n) + 1; }
noinline noclone int b(int n) { return source(n) + 2; }
int f(int n) { return a(n) + b(n); }
int g(int n) { return a(n) + b(n) + 1; }
