/* What is for memory that is added later stays: functions that can be traced are replaced, variables keep what they hold. */
#define POST
#include "../kernel.h"

static int section(".meminit.data") level;
int section(".meminit.text") add(int a)
{
#ifdef POST
	if (a > 8) return -1;
#endif
	level = a; return source(a);
}
int section(".text.startup") starts(int a)
{
#ifdef POST
	if (a > 8) return -1;
#endif
	return source(level);
}
