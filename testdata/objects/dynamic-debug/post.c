/* Descriptors of dynamic debug share a section; new ones among them are no neighbours that could be meant. */
#include "../kernel.h"

struct _ddebug { const char *function, *format; unsigned line, flags; };
int f(int n) { static struct _ddebug section("__dyndbg") descriptor = { "f", "one", __LINE__ }; sink(&descriptor); return source(n); }
int e(int n) { static struct _ddebug section("__dyndbg") descriptor = { "e", "new", __LINE__ }; sink(&descriptor); return source(n); }
int g(int n) { static struct _ddebug section("__dyndbg") descriptor = { "g", "two", __LINE__ }; sink(&descriptor); return source(n) + 1; }
