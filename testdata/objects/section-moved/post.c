/* A function moves between hot, unlikely and ordinary code: no change, but the one whose code changed. */
#include "../kernel.h"
__attribute__((__hot__)) int a(int n) { return source(n) + 1; }
int b(int n) { return source(n) + 2; }
cold int c(int n) { return source(n) + 3; }
int d(int n) { return source(n) + 5; }
int f(int n) { return a(n) + b(n) + c(n) + d(n); }
