/* Variables that macros make come along as copies. */
#include "../kernel.h"

struct empty {};
struct _ddebug { const char *function, *format; unsigned line; };
int f(int n)
{
	static struct empty __key;
	static _Bool section(".data.once") __already_done;
	static struct { int interval; } _rs = { 5 };
	static struct _ddebug section("__dyndbg") descriptor = { __func__, "text", __LINE__ };
	sink(&__key); sink(__func__); sink(&_rs); sink(&descriptor);
	if (!__already_done) { __already_done = 1; source(n); }
	return n + 1;
}
