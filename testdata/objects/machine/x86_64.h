/* arch/x86/include/asm/bug.h: a trap, and an entry of 12 bytes. */
#define BUG_ENTRY(flags) \
	asm volatile("1:\tud2\n" \
		     ".pushsection __bug_table,\"aw\"\n" \
		     "2:\t.long 1b - .\n\t.long %c0 - .\n\t.word %c1\n\t.word %c2\n\t.org 2b+%c3\n" \
		     ".popsection\n" \
		     : : "i" (__FILE__), "i" (__LINE__), "i" (flags), "i" (12))

/* arch/x86/include/asm/jump_label.h: a jump that objtool turns into a nop, and an entry of 16 bytes. */
static inline __attribute__((__always_inline__)) int static_branch(struct static_key *const key)
{
	asm goto("1:\tjmp %l[yes]\n"
		 ".pushsection __jump_table,\"aw\"\n\t.balign 8\n"
		 "\t.long 1b - .\n\t.long %l[yes] - .\n\t.quad %c0 + 2 - .\n"
		 ".popsection\n"
		 : : "i" (key) : : yes);
	return 0;
yes:
	return 1;
}

/* arch/x86/include/asm/alternative.h: code, its replacement, and an entry of 12 bytes. */
#define ALTERNATIVE(old, new, feature) \
	"661:\n\t" old "\n662:\n" \
	".skip -(((665f-664f)-(662b-661b)) > 0) * ((665f-664f)-(662b-661b)),0x90\n663:\n" \
	".pushsection .altinstructions,\"a\"\n" \
	"\t.long 661b - .\n\t.long 664f - .\n\t.word " #feature "\n\t.byte 663b-661b\n\t.byte 665f-664f\n" \
	".popsection\n.pushsection .altinstr_replacement, \"ax\"\n664:\n\t" new "\n665:\n.popsection\n"

/* arch/x86/include/asm/asm.h, extable.h: an entry of 12 bytes. */
#define EXTABLE(from, to) \
	".pushsection __ex_table,\"a\"\n\t.balign 4\n\t.long (" #from ") - .\n\t.long (" #to ") - .\n\t.long 1\n.popsection\n"

/* arch/x86/include/asm/alternative.h: the place of a lock prefix. */
#define LOCK ".pushsection .smp_locks,\"a\"\n\t.balign 4\n\t.long 671f - .\n.popsection\n671:\n\tlock; "

/* arch/x86/include/asm/bug.h since 6.19: the trap's entry, of 16 bytes, whose address the code passes on. */
struct bug_entry;
extern void warn_trap(struct bug_entry *bug, ...);
#define WARN_FORMAT(format, flags, ...) do { \
	struct bug_entry *bug; \
	asm volatile("lea (2f)(%%rip), %0\n1:\n" \
		     ".pushsection __bug_table,\"aw\"\n" \
		     "2:\t.long 1b - .\n\t.long %c1 - .\n\t.long %c2 - .\n\t.word %c3\n\t.word %c4\n\t.org 2b+%c5\n" \
		     ".popsection\n" \
		     : "=r" (bug) : "i" (format), "i" ("file.c"), "i" (__LINE__), "i" (flags), "i" (16)); \
	warn_trap(bug, ##__VA_ARGS__); \
} while (0)

/* A load of *%1 into %0, a call, and an instruction that does nothing and is as long. */
#define LOAD "mov (%1),%0"
#define CALL(f) "call " #f
#define NOP "nop; nop; nop; nop; nop"
