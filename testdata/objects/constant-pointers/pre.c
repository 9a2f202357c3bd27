/* A table with pointers: objects that exist may hold its address. */
#include "../kernel.h"

struct ops { int (*one)(int); int (*two)(int); };
static int a(int n) { return source(n); }
static int b(int n) { return source(n) + 1; }
static const struct ops ops = { a, a };
void f(void) { sink(&ops); }
