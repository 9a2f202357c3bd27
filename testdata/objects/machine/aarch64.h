/* arch/arm64/include/asm/asm-bug.h: an entry of 12 bytes, and a trap. */
#define BUG_ENTRY(flags) \
	asm volatile(".pushsection __bug_table,\"aw\"\n\t.align 2\n" \
		     "2:\t.long 1f - .\n" \
		     ".pushsection .rodata.str,\"aMS\",@progbits,1\n3:\t.string \"" __FILE__ "\"\n.popsection\n" \
		     "\t.long 3b - .\n\t.short %c0\n\t.short %c1\n\t.align 2\n.popsection\n" \
		     "1:\tbrk 0x800\n" \
		     : : "i" (__LINE__), "i" (flags))

/* arch/arm64/include/asm/jump_label.h: a nop, and an entry of 16 bytes. */
static inline __attribute__((__always_inline__)) int static_branch(struct static_key *const key)
{
	asm goto("1:\tnop\n"
		 ".pushsection __jump_table,\"aw\"\n\t.balign 8\n"
		 "\t.long 1b - .\n\t.long %l[yes] - .\n\t.quad %c0 - .\n"
		 ".popsection\n"
		 : : "i" (key) : : yes);
	return 0;
yes:
	return 1;
}

/* arch/arm64/include/asm/alternative-macros.h: code, its replacement behind the function, and an entry of 12 bytes. */
#define ALTERNATIVE(old, new, feature) \
	"661:\n\t" old "\n662:\n" \
	".pushsection .altinstructions,\"a\"\n" \
	"\t.word 661b - .\n\t.word 663f - .\n\t.hword " #feature "\n\t.byte 662b-661b\n\t.byte 664f-663f\n" \
	".popsection\n.subsection 1\n663:\n\t" new "\n664:\n" \
	".org . - (664b-663b) + (662b-661b)\n\t.org . - (662b-661b) + (664b-663b)\n.previous\n"

/* arch/arm64/include/asm/asm-extable.h: an entry of 12 bytes. */
#define EXTABLE(from, to) \
	".pushsection __ex_table,\"a\"\n\t.balign 4\n\t.long (" #from ") - .\n\t.long (" #to ") - .\n\t.short 1\n\t.short 0\n.popsection\n"

/* A load of *%1 into %0, a call, and an instruction that does nothing and is as long. */
#define LOAD "ldr %w0, [%1]"
#define CALL(f) "bl " #f
#define NOP "nop"
