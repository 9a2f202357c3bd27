/* Only a string literal changes: the code that refers to it is changed. The other string is shared. */
#include "../kernel.h"

int f(void) { return printk("shared\n"); }
int g(void) { return printk("after\n") + printk("shared\n"); }
