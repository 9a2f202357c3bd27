/* What recordmcount up to 5.9 makes of calls for tracing: in testdata/compilers/gcc-9-recordmcount they are nops, but for
   those in sections that it knows. Changed: a function of each kind. */
#include "../kernel.h"
int section(".sched.text") sleeps(int n) { return source(n) + 1; }
int section(".sched.text") yields(int n) { return source(n) + 5; }
int f(int n) { if (unlikely(n > 9)) { printk("one\n"); return source(3); } return source(n) + 7; }
int g(int n) { return source(n) * 3; }
int notrace quiet(int n) { return source(n) * 4; }
