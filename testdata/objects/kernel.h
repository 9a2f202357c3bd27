/* What the test objects need of the kernel: the macros emit what those of Linux 6.1 emit on each machine. */
#define noinline __attribute__((__noinline__))
#define noclone __attribute__((__noclone__))
#if defined(__aarch64__) || defined(__loongarch__)
#define notrace __attribute__((__patchable_function_entry__(0, 0)))
#else
#define notrace __attribute__((__no_instrument_function__))
#endif
#define section(name) __attribute__((__section__(name)))
#define weak __attribute__((__weak__))
#define used __attribute__((__used__))
#define cold __attribute__((__cold__))
#define unlikely(x) __builtin_expect(!!(x), 0)

extern int printk(const char *fmt, ...);
extern void sink(const void *p);
extern int source(int n);

struct static_key { int enabled; void *entries; };

#if defined(__x86_64__)
#include "machine/x86_64.h"
#elif defined(__aarch64__)
#include "machine/aarch64.h"
#elif defined(__powerpc64__)
#include "machine/ppc64le.h"
#elif defined(__s390x__)
#include "machine/s390x.h"
#elif defined(__loongarch__)
#include "machine/loongarch64.h"
#endif

/* arch/x86/include/asm/runtime-const.h since 6.11: values that the kernel writes into its own code at boot. */
#define runtime_const_ptr(sym) ({ \
	__typeof__(sym) value; \
	asm("mov %1,%0\n1:\n.pushsection runtime_ptr_" #sym ",\"a\"\n\t.long 1b - 8 - .\n.popsection" \
	    : "=r" (value) : "i" (0x0123456789abcdefUL)); \
	value; })
#define runtime_const_shift_right_32(number, sym) ({ \
	unsigned int value = (number); \
	asm("shrl $12,%k0\n1:\n.pushsection runtime_shift_" #sym ",\"a\"\n\t.long 1b - 1 - .\n.popsection" : "+r" (value)); \
	value; })
