/* cflags: -fno-ipa-cp */
/* A clone whose unused argument was removed: number and argument are noise, its body is not. */
#include "../kernel.h"

struct pair { int a, b, c, d; };
static noinline int second(struct pair *p, int unused) { return source(p->b) + source(p->b + 2); }
int f(struct pair *p) { return second(p, 1) + 1; }
int g(struct pair *p) { return second(p, p->a) + 1; }
