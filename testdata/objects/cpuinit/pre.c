/* Sections of kernels that are older than 3.11, of which the name does not tell what is freed. */
#include "../kernel.h"

static noinline noclone notrace int helper(int a)
{
#ifdef POST
	if (a > 8) return -1;
#endif
	return source(a);
}
int section(".cpuinit.text") notrace up(int a) { return helper(a) + 1; }
int section(".devexit.text") notrace gone(int a) { return helper(a) + 2; }
int section(".init.text") notrace boot(int a) { return helper(a) + 3; }
