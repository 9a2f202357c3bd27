/* A global function that ftrace cannot redirect: refused, since other units call it. */
#include "../kernel.h"

notrace int f(int n) { return source(n) + 2; }
