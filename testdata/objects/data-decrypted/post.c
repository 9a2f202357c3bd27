/* Existing data moves to pages that are shared with the hypervisor, or that hibernation does not save. */
#include "../kernel.h"

section(".data..percpu..decrypted") int local;
section(".bss..decrypted") int shared[16];
section(".data..nosave") int lost = 1;
int f(int n) { sink(&local); sink(shared); sink(&lost); return source(n); }
