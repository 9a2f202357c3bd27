/* Tables of numbers that all code reads where they are, in every way: their users get a copy. */
#include "../kernel.h"

#ifdef POST
#define NEW 33
#else
#define NEW 3
#endif
static const int words[] = { 1, 2, NEW, 4, 5, 6, 7, 8 };
static const unsigned char bytes[] = { 1, 2, NEW, 4, 5, 6, 7, 8 };
static const struct { int a; long b; } pairs[] = { { 1, 2 }, { 3, NEW }, { 5, 6 } };
int index(int n) { return words[n] + source(n); }
int before(int n) { return words[n - 1] + bytes[n - 3] + source(n); }
int compare(int n) { return n == words[n + 1] ? source(1) : bytes[n] == 9 ? source(2) : source(3); }
long member(int n) { return pairs[n].b * 5 + pairs[n].a + source(n); }
int other(int n) { return source(n); }
