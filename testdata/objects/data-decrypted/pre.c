/* Existing data moves to pages that are shared with the hypervisor, or that hibernation does not save. */
#include "../kernel.h"

section(".data..percpu") int local;
int shared[16];
int lost = 1;
int f(int n) { sink(&local); sink(shared); sink(&lost); return source(n); }
