/* Two functions that the compiler finds to be the same (ICF) and makes one; the patch changes one of them, whose address is out. */
#include "../kernel.h"

void hold(int (*f)(int));

static noinline int a(int n) { return source(n) * 11 + 8; }
static noinline int b(int n) { return source(n) * 11 + 9; }
int use(int n) { return a(n); }
void arm(void) { hold(b); }
