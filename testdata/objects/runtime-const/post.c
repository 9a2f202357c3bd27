/* Copies of code with runtime constants load them from their variables; what does not change keeps them. */
#include "../kernel.h"
static long *table;
extern unsigned long limit;
void set(long *t) { table = t; }
long *get(void) { return table; }
long f(long n) { return runtime_const_ptr(table)[n] + 3; }
long g(long n) { return runtime_const_ptr(table)[n] + 2; }
long h(unsigned long n) { return n > runtime_const_ptr(limit) ? source(2) : runtime_const_ptr(table)[n]; }
