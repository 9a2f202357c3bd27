/* Descriptors of dynamic debug share a section; new ones among them are no neighbours that could be meant. */
#include "../kernel.h"

struct _ddebug { const char *modname, *function, *filename, *format; unsigned lineno:18, class_id:6, flags:8; };
int f(int n) { static struct _ddebug section("__dyndbg") descriptor = { "unit", "f", "unit.c", "one", __LINE__ }; sink(&descriptor); return source(n); }
int g(int n) { static struct _ddebug section("__dyndbg") descriptor = { "unit", "g", "unit.c", "two", __LINE__ }; sink(&descriptor); return source(n); }
