/* Names of macros with a counter, as in 6.1 and as since 6.17: the numbers are noise, state is kept. */
#include "../kernel.h"
static int __UNIQUE_ID_state12; static int __UNIQUE_ID_count_34;
static _Bool section(".data.once") __UNIQUE_ID_done_55;
int f(int n) { return n + __UNIQUE_ID_state12++ + __UNIQUE_ID_count_34++; }
int g(int n) { return n + __UNIQUE_ID_state12-- + __UNIQUE_ID_done_55++; }
