/* Initialised content, size and attributes of existing data: all refused, a lost initialiser included. */
#include "../kernel.h"

int value = 4;
int array[4] = { 1, 2, 3, 4 };
int gone = 5;
static int section(".data..read_mostly") plain = 6;
int f(int n) { return value + array[n] + gone + plain + source(n); }
