/* A table that code walks through, its address in a register alone, and one that is copied: their users get copies. */
#include "../kernel.h"

struct entry { int id; short rate, depth; long mask; };
static const struct entry table[] = { { 1, 2, 3, 4 }, { 5, 6, 7, 8 }, { 9, 10, 11, 12 }, { 13, 14, 15, 16 } };
static const struct entry defaults = { 1, 2, 3, 4 };
extern void *memcpy(void *, const void *, unsigned long);
int walk(int id)
{
	int n = 0;
	const struct entry *e;
	for (e = table; e < table + 4; e++) { asm volatile("" : "+r" (e)); n += source(e->depth); if (e->id == id) break; }
	return n;
}
void copy(void *to, int n) { memcpy(to, &defaults, n); source(n); }
