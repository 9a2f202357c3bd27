/* A computed goto: the table of label addresses goes with the code of its function, and with nothing else. The first function
   is unchanged, the second and its table change, the third changes and its table does not, the fourth differs in no more
   than a string. */
#include "../kernel.h"
#define NEXT goto *table[*p++ & 3]
#define DISPATCH(name, first, second, third) \
	int name(const unsigned char *p) \
	{ \
		static const void *const table[4] = { [0 ... 3] = &&out, [0] = &&one, [1] = &&two }; \
		int n = 0; \
		NEXT; \
	one:	first; NEXT; \
	two:	second; NEXT; \
	out:	third; return n; \
	}
DISPATCH(same, n += 1, n *= 3, sink(p))
DISPATCH(longer, n += 1, n *= 3, sink(p))
DISPATCH(number, n += 7, n *= 3, sink(p))
DISPATCH(part, n += 1, n *= 3, if (unlikely(n > 9)) { printk("one\n"); n = source(n); } sink(p))
int other(int n) { return source(n); }
