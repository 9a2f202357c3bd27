/* PC-relative references with an immediate behind the field lead to their own item, not to its neighbour. */
#include "../kernel.h"

static struct { int a, b; } section(".data..read_mostly") x = { 1 }, y = { 2 }, z = { 3 };
void f(void) { asm volatile("cmpb $5,%0" : : "m" (y)); asm volatile("movl $6,%0" : "=m" (z.b)); asm volatile("cmpw $7,%0" : : "m" (x)); }
void g(void) { source(x.b); source(y.a); source(z.b); sink(&x); sink(&y); sink(&z); }
