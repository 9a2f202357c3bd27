/* Label addresses in data that is no local constant: what jumps there would go on running the old code. */
#include "../kernel.h"
int run(int n)
{
	static void *next = &&out;
	static const void *const table[2] = { &&one, &&out };
	goto *next;
one:	sink(table[n]); next = &&out;
	n += 1; goto *next;
out:	next = &&one;
	return source(n);
}
