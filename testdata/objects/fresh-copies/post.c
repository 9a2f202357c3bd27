/* Variables that macros make come along as copies. */
#include "../kernel.h"

struct empty {};
struct ratelimit_state { int lock, interval, burst, printed, missed; unsigned long begin, flags; };
struct _ddebug { const char *modname, *function, *filename, *format; unsigned lineno:18, class_id:6, flags:8; };
int f(int n)
{
	static struct empty __key;
	static _Bool section(".data.once") __already_done;
	static struct ratelimit_state _rs = { 0, 5, 10 };
	static struct _ddebug section("__dyndbg") descriptor = { "unit", __func__, "unit.c", "text", __LINE__ };
	sink(&__key); sink(__func__); sink(&_rs); sink(&descriptor);
	if (!__already_done) { __already_done = 1; source(n); }
	return n + 1;
}
