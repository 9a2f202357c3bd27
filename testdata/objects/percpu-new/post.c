/* A new per-CPU variable goes into the one per-CPU section that a module has. */
#include "../kernel.h"

static int section(".data..percpu..shared_aligned") __attribute__((__aligned__(64))) counter = 1;
int f(int n) { sink(&counter); return source(n); }
