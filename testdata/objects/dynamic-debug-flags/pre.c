/* A site of dynamic debug that prints from the beginning, since DEBUG is defined, and one of another class: changes, unlike the line. */
#include "../kernel.h"
struct _ddebug { const char *modname, *function, *filename, *format; unsigned lineno:18, class_id:6, flags:8; };
#define SITE(format, class, flags) static struct _ddebug section("__dyndbg") descriptor = { "unit", __func__, "unit.c", format, __LINE__, class, flags }
int f(int n) { SITE("f", 63, 0); sink(&descriptor); return source(n); }
int g(int n) { SITE("g", 63, 0); sink(&descriptor); return source(n); }
int h(int n) { SITE("h", 63, 0); sink(&descriptor); return source(n); }
