/* A module gets another exit function, of which the one that is loaded does not know. */
#include "../kernel.h"

static used notrace section(".exit.text") void a(void) { source(1); }
static used notrace section(".exit.text") void b(void) { source(2); }
void cleanup_module(void) __attribute__((__alias__("b")));
