/* What the test objects need of the kernel: the macros emit what those of Linux 6.1 emit on each machine. */
#define noinline __attribute__((__noinline__))
#define noclone __attribute__((__noclone__))
#ifdef __aarch64__
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
#endif
