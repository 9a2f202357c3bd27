/* A new static function comes along; one that nobody calls does not. */
#include "../kernel.h"

int f(int n) { return source(n); }
