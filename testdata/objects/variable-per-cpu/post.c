/* cflags: -g */
/* A variable becomes a per-CPU one of another name. */
#include "../kernel.h"

static section(".data..percpu") long cpu_hits;
int f(int n) { cpu_hits += n; return source(cpu_hits); }
