/* Code of .fixup, as before 5.16, goes with the function whose exception table leads to it; a change there is one of the
   function. */
#include "../kernel.h"
#define LOAD(value, p, error) \
	asm volatile("1:\tmov %1,%0\n2:\n.section .fixup,\"ax\"\n3:\tmov $" #error ",%0\n\tjmp 2b\n.previous\n" EXTABLE(1b, 3b) : "=r" (value) : "m" (*(p)))
int f(int *p) { int n; LOAD(n, p, 5); return source(n) + 1; }
int g(int *p) { int n; LOAD(n, p, 6); return source(n) + 2; }
int h(int *p) { int n; LOAD(n, p, 5); return source(n) + 4; }
