/* A new entry of the kprobe blacklist is left out. */
#include "../kernel.h"

int f(int n) { return source(n) + 1; }
static unsigned long used section("_kprobe_blacklist") __attribute__((__aligned__(8))) kbl_f = (unsigned long)f;
