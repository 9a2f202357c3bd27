/* cflags: -g */
/* Line numbers move, as arguments in registers and on the stack, in memory and in a cold part: no change. */
#include "../kernel.h"

/* Two lines
   more. */

extern int report(const char *function, int line, const char *format, ...);
extern void might_sleep_at(const char *file, int line);
#define REPORT(format, ...) report(__func__, __LINE__, format, ##__VA_ARGS__)
#define might_sleep() might_sleep_at("file.c", __LINE__)
struct note { const char *file; int line; };
extern void take(struct note *n);
static inline __attribute__((__always_inline__)) int asleep(int n)
{
	if (n > 7)
		might_sleep();
	return n;
}
int one(int n)
{
	might_sleep();
	if (unlikely(n < 0))
		return REPORT("several %d %d",
			      n,
			      n + 1);
	report("direct", __LINE__,
	       "second %d", __LINE__);
	return asleep(n);
}
int many(int n) { return REPORT("on the stack %d %d %d %d", n, n + 1, n + 2, __LINE__); }
cold noinline void in_a_cold_part(int n) { might_sleep(); }
void in_memory(void)
{
	struct note n = { "file.c", __LINE__ };
	take(&n);
}
