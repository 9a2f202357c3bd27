/* Copies that refer to each other: the first one changes, and with it what refers to it. */
#include "../kernel.h"

struct node { const void *to; int n; };
struct ratelimit_state { const void *to; int n; unsigned long begin; };
static struct node __key __asm__("__key.1"); /* as of functions */
static struct ratelimit_state _rs __asm__("_rs.2");
static struct ratelimit_state _rs = { &__key, 1 };
static struct node __key = { &_rs, 2 };
int f(int n) { sink(&__key); return source(n); }
int g(int n) { sink(&_rs); return source(n); }
