/* Exception table entries; the second has its fixup in the cold part. */
#include "../kernel.h"

int f(int *p)
{
	int v = 0;
	asm volatile("1:\tmov (%1),%0\n2:\n" EXTABLE(1b, 2b) : "+r" (v) : "r" (p));
	return source(v) + 1;
}
extern cold void complain(int n);
int g(int *p)
{
	asm goto("1:\tmovl $0,(%0)\n" EXTABLE(1b, %l[bad]) : : "r" (p) : : bad);
	return source(1) + 1;
bad:
	complain(1);
	return source(2);
}
