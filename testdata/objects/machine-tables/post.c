/* The tables of each machine: of a function that changes, of one that does not, and of one whose alternative alone does. */
#include "../kernel.h"

static struct static_key key;
int f(int *p)
{
	int v = 0;
	asm volatile("1:\t" LOAD "\n2:\n" EXTABLE(1b, 2b) : "+r" (v) : "r" (p));
	asm volatile(ALTERNATIVE(NOP, CALL(other), 7) ::);
	if (unlikely(v > 9))
		BUG_ENTRY(1);
	return static_branch(&key) ? source(v) : source(v + 2);
}
int g(int *p)
{
	int v = 0;
	asm volatile("1:\t" LOAD "\n2:\n" EXTABLE(1b, 2b) : "+r" (v) : "r" (p));
	asm volatile(ALTERNATIVE(NOP, CALL(other), 8) ::);
	if (unlikely(v > 9))
		BUG_ENTRY(2);
	return static_branch(&key) ? source(v) : source(v + 3);
}
void h(void) { asm volatile(ALTERNATIVE(NOP, CALL(two), 8) ::); source(1); }
