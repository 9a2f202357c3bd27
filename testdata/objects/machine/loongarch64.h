/* arch/loongarch/include/asm/bug.h: an entry of 12 bytes, and a trap. */
#define BUG_ENTRY(flags) \
	asm volatile(".pushsection __bug_table,\"aw\"\n\t.align 2\n" \
		     "2:\t.long 1f - .\n" \
		     ".pushsection .rodata.str,\"aMS\",@progbits,1\n3:\t.string \"" __FILE__ "\"\n.popsection\n" \
		     "\t.long 3b - .\n\t.short %0\n\t.short %1\n.popsection\n" \
		     "1:\tbreak 1\n" \
		     : : "i" (__LINE__), "i" (flags))

/* arch/loongarch/include/asm/jump_label.h: a nop, and an entry of 16 bytes. */
static inline __attribute__((__always_inline__)) int static_branch(struct static_key *const key)
{
	asm goto("1:\tnop\n"
		 ".pushsection __jump_table,\"aw\"\n\t.align 3\n"
		 "\t.word 1b - ., %l[yes] - .\n\t.quad %0 - .\n"
		 ".popsection\n"
		 : : "i" (key) : : yes);
	return 0;
yes:
	return 1;
}

/* arch/loongarch/include/asm/alternative.h: code, its replacement behind the function, and an entry of 12 bytes. */
#define ALTERNATIVE(old, new, feature) \
	"661:\n\t" old "\n662:\n" \
	".pushsection .altinstructions,\"a\"\n" \
	"\t.long 661b - .\n\t.long 663f - .\n\t.short " #feature "\n\t.byte 662b-661b\n\t.byte 664f-663f\n" \
	".popsection\n.subsection 1\n663:\n\t" new "\n664:\n\t.previous\n"

/* arch/loongarch/include/asm/asm-extable.h: an entry of 12 bytes. */
#define EXTABLE(from, to) \
	".pushsection __ex_table,\"a\"\n\t.balign 4\n\t.long (" #from ") - .\n\t.long (" #to ") - .\n\t.short 1\n\t.short 0\n.popsection\n"

/* A load of *%1 into %0, a call, and an instruction that does nothing and is as long. */
#define LOAD "ld.w %0, %1, 0"
#define CALL(f) "bl " #f
#define NOP "nop"
