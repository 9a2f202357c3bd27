/* Without debug information, lines are told by who takes them. In warns, sleeps and fails lines move; errno is the same function
   with another error, taken is another argument, unknown another function. */
#include "../kernel.h"
extern void warn_slowpath_null(const char *file, const int line);
extern void __might_sleep(const char *file, int line, int preempt_offset);
extern void __btrfs_abort_transaction(void *trans, const char *function, unsigned int line, int errno);
extern void other(const char *file, int line);
#define L(n) (n)
int warns(int n) { if (n) warn_slowpath_null("file.c", L(110)); return source(n) + 1; }
int sleeps(int n) { __might_sleep("file.c", L(120), 0); return source(n) + 2; }
int fails(int n) { if (n) __btrfs_abort_transaction(&n, "fails", L(130), -5); return source(n) + 3; }
int errno(int n) { if (n) __btrfs_abort_transaction(&n, "errno", L(140), 5); return source(n) + 4; }
int taken(int n) { __might_sleep("file.c", L(150), 7); return source(n) + 5; }
int unknown(int n) { if (n) other("file.c", L(160)); return source(n) + 6; }
