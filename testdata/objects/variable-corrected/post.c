/* cflags: -g */
/* A function that used the wrong variable is no exchange. */
#include "../kernel.h"

static int a, b;
int f(int n) { b += n; return source(b); }
int g(int n) { b -= n; return source(b + a); }
void h(int n) { a = n; }
