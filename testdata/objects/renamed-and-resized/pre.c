/* cflags: -g */
/* A table under another name and with more entries is the same state. */
#include "../kernel.h"

struct slot { long a, b; };
static struct slot slots[8];
int add(long a) { for (int i = 0; i < 8; i++) if (!slots[i].a) { slots[i].a = a; sink(&slots[i]); return i; } return -1; }
long get(int i) { source(0); return i < 8 ? slots[i].a : 0; }
