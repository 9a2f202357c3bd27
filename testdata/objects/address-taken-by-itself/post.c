/* A function that arms a timer with itself is held by that timer, though others only call it. */
#define POST
#include "../kernel.h"

extern void set_timer(void (*)(int), int);
static notrace noinline noclone void cb(int a)
{
#ifdef POST
	if (a > 8) return;
#endif
	source(a); set_timer(cb, a);
}
void arm(int a) { source(5); cb(a); source(6); }
