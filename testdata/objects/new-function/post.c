/* A new static function comes along; one that nobody calls does not. */
#include "../kernel.h"

static noinline noclone int helper(int n) { return source(n) + source(n + 1); }
int f(int n) { return helper(n) & 7; }
