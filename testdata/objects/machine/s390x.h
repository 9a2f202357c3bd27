/* arch/s390/include/asm/bug.h: a trap, and an entry of 12 bytes in a section that the linker thinks it may merge. */
#define BUG_ENTRY(flags) \
	asm volatile("0:\tmc 0,0\n" \
		     ".section .rodata.str,\"aMS\",@progbits,1\n1:\t.asciz \"" __FILE__ "\"\n.previous\n" \
		     ".section __bug_table,\"awM\",@progbits,%2\n" \
		     "2:\t.long 0b-.\n\t.long 1b-.\n\t.short %0,%1\n\t.org 2b+%2\n.previous\n" \
		     : : "i" (__LINE__), "i" (flags), "i" (12))

/* arch/s390/include/asm/jump_label.h: a nop, and an entry of 16 bytes. */
static inline __attribute__((__always_inline__)) int static_branch(struct static_key *const key)
{
	asm goto("1:\tbrcl 0,%l[yes]\n"
		 ".pushsection __jump_table,\"aw\"\n\t.balign 8\n"
		 "\t.long 1b - .\n\t.long %l[yes] - .\n\t.quad %0 - .\n"
		 ".popsection\n"
		 : : "jdd" (key) : : yes);
	return 0;
yes:
	return 1;
}

/* arch/s390/include/asm/alternative.h: code, its replacement of the same length, and an entry of 11 bytes. */
#define ALTERNATIVE(old, new, feature) \
	".pushsection .altinstr_replacement,\"ax\"\n6641:\n\t" new "\n6651:\n.popsection\n" \
	"661:\n\t" old "\n662:\n" \
	".pushsection .altinstructions,\"a\"\n" \
	"\t.long 661b - .\n\t.long 6641b - .\n\t.word " #feature "\n\t.byte 662b-661b\n" \
	"\t.org . - (662b-661b) + (6651b-6641b)\n\t.org . - (6651b-6641b) + (662b-661b)\n.popsection\n"

/* arch/s390/include/asm/asm-extable.h: an entry of 12 bytes. */
#define EXTABLE(from, to) \
	".pushsection __ex_table,\"a\"\n\t.balign 4\n\t.long (" #from ") - .\n\t.long (" #to ") - .\n\t.short 1\n\t.short 0\n.popsection\n"

/* A load of *%1 into %0, a call, and an instruction that does nothing and is as long. */
#define LOAD "l %0, 0(%1)"
#define CALL(f) "brasl %%r14, " #f
#define NOP "jgnop ."
