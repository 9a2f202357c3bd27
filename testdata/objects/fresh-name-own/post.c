/* cflags: -g */
/* Static locals of a driver that are called as those of macros, and are of other types, keep their state. */
#include "../kernel.h"

struct own { long a[6]; };
int f(int n)
{
	static int __warned;
	static struct own _rs;
	static struct own *__key;
	static _Bool section(".data.once") __already_done;
	if (!__already_done) { __already_done = 1; source(1); }
	_rs.a[n] += n; sink(&_rs); sink(__key); __key = 0;
	return source(__warned++) + 1;
}
