/* A function is called at another time of the boot. */
#include "../kernel.h"

static int first(void) { return source(1); }
static void *const call used section(".initcall7.init") = first;
