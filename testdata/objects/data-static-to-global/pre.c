/* A static variable becomes global, and a global one static: they stay what they are. */
#include "../kernel.h"
static int a = 5; int b = 6;
int f(int n) { return n + a++ + b++; }
