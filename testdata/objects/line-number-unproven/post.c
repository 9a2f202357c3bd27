/* Without debug information nothing shows that a number is a line: changed. */
#include "../kernel.h"


extern int report(int line, int n);
int f(void) { return report(__LINE__, 4); }
