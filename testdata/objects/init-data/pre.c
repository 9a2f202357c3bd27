/* New code refers to data and code that is freed after boot. */
#include "../kernel.h"

static int section(".init.data") gone = 4;
static noinline noclone int section(".init.text") prepare(int n) { return gone + n; }
int section(".init.text") boot(int n) { gone++; return prepare(n); }
int f(int n) { return source(n); }
int g(int n) { return source(n); }
