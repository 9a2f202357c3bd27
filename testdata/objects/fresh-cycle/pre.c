/* Copies that refer to each other: the first one changes, and with it what refers to it. */
#include "../kernel.h"

struct node { const struct node *to; int n; };
static struct node _entry __asm__("_entry.1"), _rs __asm__("_rs.2"); /* as of functions */
static struct node _rs = { &_entry, 1 };
static struct node _entry = { &_rs, 1 };
int f(int n) { sink(&_entry); return source(n); }
int g(int n) { sink(&_rs); return source(n); }
