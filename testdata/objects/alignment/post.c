/* Carried data keeps its alignment. */
#include "../kernel.h"

static char first = 1;
static struct { char c[64]; } __attribute__((__aligned__(64))) line = { "x" };
static char section(".data..read_mostly") byte1 = 1;
static long section(".data..read_mostly") word1 = 2;
int f(int n) { sink(&first); sink(&line); sink(&byte1); sink(&word1); return source(n); }
