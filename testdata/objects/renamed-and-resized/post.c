/* cflags: -g */
/* A table under another name and with more entries is the same state. */
#include "../kernel.h"

struct slot { long a, b; };
static struct slot slots_tbl[16];
int add(long a) { for (int i = 0; i < 16; i++) if (!slots_tbl[i].a) { slots_tbl[i].a = a; sink(&slots_tbl[i]); return i; } return -1; }
long get(int i) { source(0); return i < 16 ? slots_tbl[i].a : 0; }
