/* arch/powerpc/include/asm/bug.h: a trap, and an entry of 12 bytes. */
#define BUG_ENTRY(flags) \
	asm volatile("1:\ttwi 31, 0, 0\n" \
		     ".section __bug_table,\"aw\"\n" \
		     "2:\t.4byte 1b - .\n\t.4byte %0 - .\n\t.short %1, %2\n.org 2b+%3\n.previous\n" \
		     : : "i" (__FILE__), "i" (__LINE__), "i" (flags), "i" (12))

/* arch/powerpc/include/asm/jump_label.h: a nop, and an entry of 16 bytes. */
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

/* arch/powerpc/include/asm/feature-fixups.h: code, its alternative in a section of its own, and an entry of 48 bytes. */
#define ALTERNATIVE(old, new, feature) \
	"971:\n\t" old "\n972:\n" \
	".pushsection __ftr_alt_97,\"a\"\n\t.align 2\n973:\n\t" new "\n974:\n.popsection\n" \
	".pushsection __ftr_fixup,\"a\"\n\t.align 3\n975:\n\t.8byte " #feature "\n\t.8byte " #feature "\n" \
	"\t.8byte 971b-975b\n\t.8byte 972b-975b\n\t.8byte 973b-975b\n\t.8byte 974b-975b\n.popsection\n"

/* arch/powerpc/include/asm/feature-fixups.h: the place of a barrier against speculation. */
#define BARRIER_NOSPEC "953:\tnop\n.pushsection __barrier_nospec_fixup,\"a\"\n\t.align 2\n954:\t.8byte 953b-954b\n.popsection\n"

/* arch/powerpc/include/asm/extable.h: an entry of 8 bytes. */
#define EXTABLE(from, to) \
	".pushsection __ex_table,\"a\"\n\t.balign 4\n\t.long (" #from ") - .\n\t.long (" #to ") - .\n.popsection\n"

/* A load of *%1 into %0, a call, and an instruction that does nothing and is as long. */
#define LOAD "lwz %0, 0(%1)"
#define CALL(f) "bl " #f
#define NOP "nop"
