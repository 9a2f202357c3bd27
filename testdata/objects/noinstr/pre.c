/* Code where tracing must not be. */
#include "../kernel.h"

notrace int section(".noinstr.text") f(int n) { return source(n); }
