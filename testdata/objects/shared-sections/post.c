/* Sections with several items: only what changed is taken out of them, and references stay with their item. */
#include "../kernel.h"

static int section(".data..read_mostly") one = 1, two = 2;
static int section(".data..percpu") here = 3, there = 4;
void section(".sched.text") a(void) { source(one); }
void section(".sched.text") b(void) { source(two + here + 1); one++; }
void section(".sched.text") c(void) { source(there); two++; here++; there++; }
