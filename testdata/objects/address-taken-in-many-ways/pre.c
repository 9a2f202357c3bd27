/* cflags: -fno-ipa-icf */
#include "../kernel.h"

/* Functions without fentry whose address only the old code has: in an object on the stack, in a table, in code that the patch
   removes, in code that is rarely executed, through assembly, in the code of an alternative, in an exception table. Of
   callee, which is only called, the callers are replaced. */
struct work { void (*fn)(int); int a; };
extern void set_timer(void (*)(int), int);
extern void oops(void) cold;
#ifdef POST
#define FIX if (a > 8) return;
#else
#define FIX
#endif
#define CALLBACK(name, n) static notrace noinline noclone void name(int a) { FIX source(a); source(a + n); }
CALLBACK(on_stack, 1)
CALLBACK(in_table, 2)
CALLBACK(in_removed, 3)
CALLBACK(in_cold, 4)
CALLBACK(in_asm, 5)
CALLBACK(in_alternative, 6)
CALLBACK(by_handler, 7)
CALLBACK(callee, 8)
void calls(int a)
{
	source(1); on_stack(a); source(2); in_table(a); source(3); in_removed(a); source(4); in_cold(a); source(5);
	in_asm(a); source(6); in_alternative(a); source(7); by_handler(a); source(8); callee(a); source(9);
}
#ifndef POST
static const struct work table[] = { { in_table, 1 } };
int removed(int a) { set_timer(in_removed, a); return source(a); }
#endif
void hands_out(int a)
{
	source(a);
#ifndef POST
	struct work w = { on_stack, a };
	sink(&w);
	sink(table);
	if (a == 77) { oops(); set_timer(in_cold, a); oops(); }
	asm volatile("mov %0, %%rax" : : "i" (in_asm) : "rax", "memory");
	asm volatile("661:\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n662:\n"
		".pushsection .altinstructions,\"a\"\n\t.long 661b - .\n\t.long 663f - .\n\t.word 1\n\t.byte 662b - 661b\n\t.byte 664f - 663f\n.popsection\n"
		".pushsection .altinstr_replacement,\"ax\"\n663:\tmov %0, %%rax\n664:\n.popsection" : : "i" (in_alternative) : "rax");
	asm volatile("1:\tnop\n2:\n.pushsection __ex_table,\"a\"\n\t.balign 4\n\t.long 1b - .\n\t.long 2b - .\n\t.long %c0 - .\n.popsection" : : "i" (by_handler));
#endif
	source(a + 1);
}
