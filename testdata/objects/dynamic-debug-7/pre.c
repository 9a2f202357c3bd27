/* Dynamic debug with the names that 7.x gives its sites: a new site and another line are no change of the others. */
#include "../kernel.h"
struct _ddebug { const char *modname, *function, *filename, *format; unsigned int lineno; };
extern void debug(struct _ddebug *d, int n);
#define SITE(counter, format) static struct _ddebug __attribute__((__aligned__(8))) section("__dyndbg") __UNIQUE_ID_ddebug_##counter = \
	{ "unit", __func__, "unit.c", format, __LINE__ }
int f(int n) { SITE(100, "f"); debug(&__UNIQUE_ID_ddebug_100, n); return source(n); }
int g(int n) { SITE(102, "g"); debug(&__UNIQUE_ID_ddebug_102, n); return source(n); }
