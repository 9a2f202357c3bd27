/* Texts name the file and line of a call, as fortified memcpy() does: lines move, one text changes beside its line. */
#include "../kernel.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define PLACE "dir/file.c:" TEXT(__LINE__)
extern int report(const char *text, int n);
int moved(int n) { return report("field at " PLACE, n); }
int beside(int n) { return report("field at " PLACE ", before", n); }
int number(int n) { return report("value 7", n); }
int no_file(int n) { return report("ratio 3:7", n); }
int other_file(int n) { return report("here.c:7", n); }
