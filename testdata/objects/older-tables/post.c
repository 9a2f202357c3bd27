/* Tables as kernels 3.10 to 5.9 have them: branches of three addresses, exceptions without a handler, alternatives of 13 bytes,
   file names of bugs that count from their entry, messages in __verbose. Of the functions with entries, one changes in each
   kind. */
#include "../kernel.h"
#undef BUG_ENTRY
#define BUG_ENTRY(flags) \
	asm volatile("1:\tud2\n.pushsection __bug_table,\"a\"\n2:\t.long 1b - 2b, %c0 - 2b\n\t.word %c1, %c2\n\t.org 2b+12\n.popsection\n" \
		     : : "i" (__FILE__), "i" (__LINE__), "i" (flags))
static inline __attribute__((__always_inline__)) int old_branch(struct static_key *const key)
{
	asm goto("1:\t.byte 0x0f,0x1f,0x44,0,0\n.pushsection __jump_table,\"aw\"\n\t.balign 8\n\t.quad 1b, %l[yes], %c0\n.popsection\n" : : "i" (key) : : yes);
	return 0;
yes:	return 1;
}
#define OLD_EX(from, to) ".pushsection __ex_table,\"a\"\n\t.balign 4\n\t.long (" #from ") - ., (" #to ") - .\n.popsection\n"
#define OLD_ALT(old, new, feature) \
	"661:\n\t" old "\n662:\n.skip -(((6651f-6641f)-(662b-661b)) > 0) * ((6651f-6641f)-(662b-661b)),0x90\n663:\n" \
	".pushsection .altinstructions,\"a\"\n\t.long 661b - ., 6641f - .\n\t.word " #feature "\n\t.byte 663b-661b, 6651f-6641f, 663b-662b\n.popsection\n" \
	".pushsection .altinstr_replacement, \"ax\"\n6641:\n\t" new "\n6651:\n.popsection\n"
extern struct static_key one, two;

struct site { const char *modname, *function, *filename, *format; unsigned int lineno:18, flags:8; } __attribute__((aligned(8)));

int branches(int n) { return old_branch(&one) ? source(n) : 1; }
int branches_changed(int n) { return old_branch(&two) ? source(n) : 1; }
int bug(int n) { if (n > 9) BUG_ENTRY(0); return source(n); }
int bug_changed(int n) { if (n > 9) BUG_ENTRY(2); return source(n); }
int faults(int *p) { int v = 0; asm("1:\tmovl %1, %0\n2:\n.section .fixup,\"ax\"\n3:\tmovl $1, %0\n\tjmp 2b\n.previous\n" OLD_EX(1b, 3b) : "+r" (v) : "m" (*p)); return v; }
int faults_changed(int *p) { int v = 0; asm("1:\tmovl %1, %0\n2:\n.section .fixup,\"ax\"\n3:\tmovl $3, %0\n\tjmp 2b\n.previous\n" OLD_EX(1b, 3b) : "+r" (v) : "m" (*p)); return v; }
int faults_again(int *p) { int v = 0; asm("1:\tmovl %1, %0\n2:\n.section .fixup,\"ax\"\n3:\tmovl $4, %0\n\tjmp 2b\n.previous\n" OLD_EX(1b, 3b) : "+r" (v) : "m" (*p)); return v; }
void patched(void) { asm volatile(OLD_ALT("nop", "sfence", 7)); }
void patched_changed(void) { asm volatile(OLD_ALT("nop", "lfence", 7)); }
int says(int n)
{
	static struct site descriptor used section("__verbose") = { "unit", "says", "unit.c", "n\n", __LINE__, 0 };
	sink(&descriptor);
	return source(n);
}
