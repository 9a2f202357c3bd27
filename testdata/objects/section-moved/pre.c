/* A function moves between hot, unlikely and ordinary code: no change, but the one whose code changed. */
#include "../kernel.h"
int a(int n) { return source(n) + 1; }
cold int b(int n) { return source(n) + 2; }
int c(int n) { return source(n) + 3; }
__attribute__((__hot__)) int d(int n) { return source(n) + 4; }
int f(int n) { return a(n) + b(n) + c(n) + d(n); }
