/* cflags: -g */
/* A number that is no line, beside one that is: only the function with the real change is changed. */
#include "../kernel.h"
extern int report(int line, int n);
int f(void) { return report(__LINE__, 4); }
int g(void) { return report(__LINE__, 5); }
int h(int n) { return report(n, 6); }
