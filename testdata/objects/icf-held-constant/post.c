/* Two tables that the compiler finds to be the same and makes one; the patch changes one of them, whose address is out. */
#include "../kernel.h"

void out(long a, long b);

static const long first[] = { 34, 624 };
static const long second[] = { 34, 25 };
static const long *chosen;

void use(int op, long i)
{
	if (op == 0)
		chosen = first;
	else if (op == 1)
		out(chosen == first, 0);
	else
		out(chosen[i], second[i]);
}
