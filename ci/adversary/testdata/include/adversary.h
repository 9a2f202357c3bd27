/* What the units of the campaign need of the kernel's headers, as far as it takes to compile them for nothing. */
#ifndef ADVERSARY_H
#define ADVERSARY_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef short s16;
typedef unsigned int u32, gfp_t;
typedef int s32;
typedef unsigned long long u64;
typedef unsigned long size_t;
typedef long ssize_t;
typedef __builtin_va_list va_list;
#define bool _Bool
#define true 1
#define false 0
#define NULL ((void *)0)

#define __init __attribute__((section(".init.text")))
#define __exit __attribute__((section(".exit.text")))
#define __initdata __attribute__((section(".init.data")))
#define __initconst __attribute__((section(".init.rodata")))
#define __read_mostly __attribute__((section(".data..read_mostly")))
#define __ro_after_init __attribute__((section(".data..ro_after_init")))
#define __cold __attribute__((cold))
#define __sched __attribute__((section(".sched.text")))
#define __lockfunc __attribute__((section(".spinlock.text")))
#define __cpuidle __attribute__((section(".cpuidle.text")))
#define __ref __attribute__((section(".ref.text")))
#define noinstr __attribute__((section(".noinstr.text")))
#define notrace __attribute__((no_instrument_function))
#define noinline __attribute__((noinline))
#define __always_inline inline __attribute__((always_inline))
#define __weak __attribute__((weak))
#define __aligned(x) __attribute__((aligned(x)))
#define ____cacheline_aligned __aligned(64)
#define __section(x) __attribute__((section(x)))
#define __maybe_unused __attribute__((unused))
#define __printf(a, b) __attribute__((format(printf, a, b)))
#define __user
#define __rcu
#define fallthrough __attribute__((fallthrough))
#define unreachable() __builtin_unreachable()
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() asm volatile("" ::: "memory")
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define min_t(t, a, b) ((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define offsetof(t, m) __builtin_offsetof(t, m)
#define container_of(p, t, m) ((t *)((char *)(p) - offsetof(t, m)))
#define struct_size(p, m, n) (sizeof(*(p)) + sizeof((p)->m[0]) * (n))
#define va_start __builtin_va_start
#define va_end __builtin_va_end

#define EXPORT_SYMBOL_GPL(x) extern __typeof__(x) x
#define THIS_MODULE ((struct module *)0)
#define MODULE_LICENSE(x) _Static_assert(1, x)
#define module_param(name, type, mode) static type *param_##name = &name
#define module_init(f) int (*initcall_##f)(void) = f
#define late_initcall module_init
#define module_exit(f) void (*exitcall_##f)(void) = f
#define WARN_ON(x) (!!(x))
#define WARN_ON_ONCE(x) (!!(x))
#define WARN(x, ...) ((void)(x))
#define BUG_ON(x) ((void)(x))
#define pr_info(...) adv_out(__VA_ARGS__)
#define pr_info_once pr_info
#define pr_info_ratelimited pr_info
#define pr_debug pr_info
#define might_sleep() do { } while (0)
#define might_resched() do { } while (0)
#define cond_resched() 0
#define panic(...) __builtin_trap()
#define NOTIFY_OK 1
#define NOTIFY_DONE 0
#define EINVAL 22
#define ENOENT 2
#define ENOMEM 12
#define E2BIG 7
#define GFP_KERNEL 1
#define __GFP_NOFAIL 2
#define HZ 250
extern unsigned long jiffies;

struct list_head { struct list_head *next, *prev; };
#define LIST_HEAD(l) struct list_head l = { &l, &l }
#define list_for_each_entry(e, l, m) for (e = container_of((l)->next, __typeof__(*e), m); &e->m != (l); e = container_of(e->m.next, __typeof__(*e), m))
#define list_for_each_entry_safe(e, n, l, m) list_for_each_entry(e, l, m)
void list_add(struct list_head *e, struct list_head *l);
void list_add_tail(struct list_head *e, struct list_head *l);
void list_del(struct list_head *e);
struct rcu_head { void *next; };
#define kfree_rcu(p, m) kfree(p)
#define rcu_replace_pointer(p, v, c) ({ __typeof__(p) o = (p); (p) = (v); o; })
#define lockdep_is_held(l) 1
#define rcu_dereference(p) (p)
void rcu_read_lock(void);
void rcu_read_unlock(void);
#define DEFINE_MUTEX(x) int x
typedef struct { int v; } spinlock_t;
#define DEFINE_SPINLOCK(x) spinlock_t x
void spin_lock(spinlock_t *);
void spin_unlock(spinlock_t *);
#define local_irq_save(f) ((void)(f))
#define local_irq_restore(f) ((void)(f))
#define preempt_disable() do { } while (0)
#define preempt_enable() do { } while (0)
#define smp_processor_id() 0
struct task { int pid; };
extern struct task *current;

typedef struct { int v; } atomic_t, atomic64_t, atomic_long_t;
#define ATOMIC_INIT(x) { x }
#define ATOMIC64_INIT ATOMIC_INIT
#define ATOMIC_LONG_INIT ATOMIC_INIT
#define atomic_add(n, a) ((a)->v += (n))
#define atomic64_add atomic_add
#define atomic_long_add atomic_add
#define atomic_read(a) ((a)->v)
#define atomic64_read atomic_read
#define atomic_long_read atomic_read
#define atomic_cmpxchg(a, o, n) ((a)->v)
#define atomic64_cmpxchg atomic_cmpxchg
#define atomic_long_cmpxchg atomic_cmpxchg
void set_bit(long n, unsigned long *bits);
bool test_bit(long n, unsigned long *bits);
bool test_and_set_bit(long n, unsigned long *bits);

#define DEFINE_PER_CPU(t, n) t n
#define this_cpu_add(v, n) ((v) += (n))
#define this_cpu_inc(v) ((v)++)
#define per_cpu(v, c) (v)
#define for_each_possible_cpu(c) for (c = 0; c < 1; c++)
struct static_key { int v; };
#define DEFINE_STATIC_KEY_FALSE(k) struct static_key k
#define DEFINE_STATIC_KEY_TRUE(k) struct static_key k
#define DECLARE_STATIC_KEY_FALSE(k) extern struct static_key k
#define static_branch_likely(k) ((k)->v)
#define static_branch_unlikely(k) ((k)->v)
#define static_branch_enable(k) ((k)->v = 1)
#define static_branch_disable(k) ((k)->v = 0)
#define DEFINE_STATIC_CALL(n, f) static __typeof__(f) *n = f
#define static_call(n) n
#define static_call_update(n, f) (n = f)
enum { X86_FEATURE_FPU, X86_FEATURE_SMAP, X86_FEATURE_XSAVE, X86_FEATURE_PTI, X86_FEATURE_TSC };
#define static_cpu_has(f) ((f) == 1)
#define boot_cpu_has(f) ((f) == 2)
#define DEFINE_RATELIMIT_STATE(n, i, b) int n
#define __ratelimit(r) (*(r))
int printk_ratelimit(void);

#define get_user(v, p) ((v) = *(p), 0)
#define __get_user get_user
#define put_user(v, p) (*(p) = (v), 0)
long copy_from_user(void *to, const void *from, size_t n);
long copy_from_kernel_nofault(void *to, const void *from, size_t n);

struct notifier_block { int (*notifier_call)(struct notifier_block *, unsigned long, void *); int priority; };
struct timer_list { void (*function)(struct timer_list *); };
#define DEFINE_TIMER(n, f) struct timer_list n = { f }
void timer_setup(struct timer_list *, void (*f)(struct timer_list *), int);
int mod_timer(struct timer_list *, unsigned long);
int timer_pending(struct timer_list *);
int del_timer_sync(struct timer_list *);
void msleep(int);
struct work_struct { void (*f)(struct work_struct *); };
struct delayed_work { struct work_struct work; };
extern struct workqueue *system_wq;
#define INIT_WORK(w, fn) ((w)->f = fn)
#define DECLARE_WORK(n, fn) struct work_struct n = { fn }
#define DECLARE_DELAYED_WORK(n, fn) struct delayed_work n = { { fn } }
bool schedule_work(struct work_struct *);
bool schedule_delayed_work(struct delayed_work *, unsigned long);
bool flush_work(struct work_struct *);
bool flush_delayed_work(struct delayed_work *);
bool queue_work(struct workqueue *, struct work_struct *);

void *kmalloc(size_t, gfp_t);
void *kzalloc(size_t, gfp_t);
void kfree(const void *);
size_t ksize(const void *);
char *kasprintf(gfp_t, const char *, ...);
int snprintf(char *, size_t, const char *, ...);
int vsnprintf(char *, size_t, const char *, va_list);
ssize_t strscpy(char *, const char *, size_t);
void *memset(void *, int, size_t);
void *memcpy(void *, const void *, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);
int strcmp(const char *, const char *);
const char *kbasename(const char *);
void sort(void *, size_t, size_t, int (*)(const void *, const void *), void *);
unsigned long int_sqrt(unsigned long);
unsigned int jiffies_to_msecs(unsigned long);
u64 div64_u64(u64, u64);
u64 div_u64_rem(u64, u32, u32 *);
long div_s64(long, s32);
u64 mul_u64_u32_shr(u64, u32, unsigned int);
unsigned int hweight64(u64);
u32 swab32(u32);

struct adv_unit {
	const char *name;
	void (*call)(unsigned int op, long arg);
	struct module *owner;
	struct list_head list;
};
void adv_register(struct adv_unit *u);
void adv_unregister(struct adv_unit *u);
__printf(1, 2) void adv_out(const char *fmt, ...);
long adv_id(long v);
void adv_hold(const char *name, long (*fn)(long));
long adv_fire(const char *name, long arg);
void *adv_held(const char *name);
void adv_keep(const char *name, const void *object);
void *adv_kept(const char *name);
void adv_watch(const char *name, struct notifier_block *nb);
void adv_unwatch(const char *name);
int adv_notify(unsigned long event, void *data);

#endif
