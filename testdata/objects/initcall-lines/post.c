/* Initcalls and messages of ppc64le, where the former are variables: a counter and a line number in their names say nothing.
   Only f changes. */
#include "../kernel.h"
static int section(".init.text") used start(void) { return source(1); }
static int section(".init.text") used later(void) { return source(2); }
static int (*const __initcall__kmod_unit__219_43_start6)(void) used section(".initcall6.init") = start;
static int (*const __initcall__kmod_unit__221_47_later7)(void) used section(".initcall7.init") = later;
static const char __UNIQUE_ID_license222[] used section(".modinfo") __attribute__((aligned(1))) = "unit.license=GPL";
static const char __UNIQUE_ID_alias223[] used section(".modinfo") __attribute__((aligned(1))) = "unit.alias=a";
static const char __UNIQUE_ID_alias224[] used section(".modinfo") __attribute__((aligned(1))) = "unit.alias=b";
struct site { const char *modname, *function, *filename, *format; unsigned int lineno:18, class_id:6, flags:8; } __attribute__((aligned(8)));
int g(int n)
{
	static struct site descriptor used section("__dyndbg") = { "unit", "g", "unit.c", "n\n", 53, 63, 0 };
	static char section(".data.once") __already_done;
	if (!__already_done) { __already_done = 1; sink(&descriptor); }
	return source(n);
}
int f(int n) { return source(n) + 2; }
