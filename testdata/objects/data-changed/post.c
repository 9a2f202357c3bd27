/* Initialised content, size and attributes of existing data: all refused, a lost initialiser included. */
#include "../kernel.h"

int value = 5;
int array[5] = { 1, 2, 3, 4 };
int gone;
static int section(".data..percpu") plain = 6;
int f(int n) { return value + array[n] + gone + plain + source(n); }
