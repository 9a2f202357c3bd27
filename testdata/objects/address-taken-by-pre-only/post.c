/* Timers that were armed before go on calling what they were given, though the patched code gives it to nobody. */
#define POST
#include "../kernel.h"

extern void set_timer(void (*)(int), int);
extern int arr[];
static notrace noinline void cb(int a)
{
#ifdef POST
	if (a > 8) return;
#endif
	sink(&arr[a]); source(a);
}
void arm(int a)
{
#ifdef POST
	source(5); cb(a); source(6);
#else
	set_timer(cb, a);
#endif
}
