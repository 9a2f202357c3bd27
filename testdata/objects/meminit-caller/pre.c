/* Code for memory that is added later stays, where memory can be added: it goes on calling the old helper. */
#include "../kernel.h"

#define meminit section(".meminit.text") cold notrace
extern int arr[];
static notrace noinline int helper(int a)
{
#ifdef POST
	if (a > 8) return -1;
#endif
	source(a); return arr[a];
}
int meminit hotplug_add(int a) { source(1); return helper(a) + 1; }
int normal(int a) { source(2); return helper(a) + 2; }
