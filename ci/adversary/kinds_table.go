package main

// The kernel's own tables: jump labels, static calls, alternatives, exception entries, dynamic debug, rate limits, locks.
var tableKinds = []kind{
	{name: "static-key", where: anywhere, setup: "0", probe: "1 3; 2; 1 4; 3; 1 5", after: "1 3; 2; 1 4; 3; 1 5", text: `
static DEFINE_STATIC_KEY_@k[FALSE@|TRUE@]($key);
static noinline long $f(long v)
{
	if (static_branch_@[likely@|unlikely@](&$key))
		return adv_id(v) + @{#0@|#5@};
	return adv_id(v) * @{#1@|#1@|#6@};
}
static void $call(unsigned int op, long arg)
{
	if (op == 1)
		adv_out("f %ld", $f(arg));
	else if (op == 3)
		static_branch_disable(&$key);
	else
		static_branch_enable(&$key);
}
`},
	{name: "static-key-elsewhere", where: anywhere, setup: "0", probe: "1 3; 2; 1 4; 0; 1 5", header: `
DECLARE_STATIC_KEY_FALSE($key);
void $set(long v);
`, other: `
DEFINE_STATIC_KEY_FALSE($key);
ADV_EXPORT($key);
void $set(long v)
{
	if (v)
		static_branch_enable(&$key);
	else
		static_branch_disable(&$key);
}
ADV_EXPORT($set);
`, text: `
static noinline long $f(long v)
{
	if (static_branch_unlikely(&$key))
		v += adv_id(@{#0@|#5@});
	return v * @{#1@|#1@|#6@};
}
static void $call(unsigned int op, long arg)
{
	if (op == 1)
		adv_out("f %ld", $f(arg));
	else
		$set(op == 0);
}
`},
	{name: "new-static-key", where: anywhere, probe: "1 3; 2; 1 4", after: "1 3", text: `
@{@|static DEFINE_STATIC_KEY_FALSE($key);
@}static noinline long $f(long v)
{
	@{@|if (static_branch_unlikely(&$key))
		return adv_id(v) * #5;
	@}return adv_id(v) + #0;
}
static void $call(unsigned int op, long arg)
{
	if (op == 1)
		adv_out("f %ld", $f(arg));
	@{@|else
		static_branch_enable(&$key);@}
}
`},
	{name: "kernel-static-key", where: builtin, probe: "1 3", text: `
static noinline long $f(long v)
{
	might_resched();
	if (static_cpu_has(X86_FEATURE_@[FPU@|SMAP@|XSAVE@|PTI@]))
		v += adv_id(@{#0@|#5@});
	if (boot_cpu_has(X86_FEATURE_@[FPU@|TSC@]))
		v ^= adv_id(#1);
	cond_resched();
	return v@{@|@| * #6@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
	{name: "static-call", where: anywhere, setup: "0", probe: "1 3; 2; 1 4", after: "0; 1 3", text: `
static long $a(long v) { return adv_id(v) + #0; }
static long $b(long v) { return adv_id(v) * @{#1@|#1@|#5@}; }
DEFINE_STATIC_CALL($sc, $a);
static noinline long $f(long v)
{
	return static_call($sc)(v) @{+@|-@|+@} adv_id(@{#2@|#6@});
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		static_call_update($sc, $b);
	else if (op == 1)
		adv_out("f %ld", $f(arg));
	else
		static_call_update($sc, $a);
}
`},
	{name: "static-call-tail", where: anywhere, setup: "0", probe: "1 3; 2 4", text: `
static long $a(long v) { return adv_id(v) + @{#0@|#5@}; }
static long $b(long v) { return adv_id(v) * #1; }
DEFINE_STATIC_CALL($sc, $@[a@|b@]);
static noinline long $f(long v)
{
	adv_id(@{#2@|#6@});
	return static_call($sc)(v);
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		static_call_update($sc, arg ? $b : $a);
	else
		adv_out("f %ld", $f(arg));
}
`},
	{name: "user-access", where: anywhere, probe: "0 3; 1 4", text: `
static noinline long $f(unsigned long at)
{
	long v = #0;
	int err;

	err = @[get_user(v, (long __user *)at)@|put_user(v, (long __user *)at)@|copy_from_user(&v, (void __user *)at, 8)@|__get_user(v, (long __user *)at)@];
	return err ? @{-#1@|-#5@} : v;
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld %d", $f(arg), @{#2@|#2@|#6@});
}
`},
	{name: "nofault", where: anywhere, probe: "0 3; 1 4", text: `
static const long $good = #0;
static noinline long $f(const void *at)
{
	long v = @{1@|2@};

	if (copy_from_kernel_nofault(&v, at, sizeof(v)))
		return @{-#1@|-#5@};
	return v;
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(op ? (void *)arg : (const void *)&$good));
}
`},
	{name: "dynamic-debug", where: anywhere, probe: "0 3; 1 4", text: `
static noinline long $f(long v)
{
	pr_debug("adv_log $f %ld\n", v);
	@{@|pr_debug("adv_log $f again %ld #5\n", v);
	@|@}if (v == -#0)
		pr_debug("adv_log $f negative\n");
	return adv_id(v) @{+@|*@} #1;
}
static void $call(unsigned int op, long arg)
{
	pr_debug("adv_log $call\n");
	adv_out("f %ld", $f(arg));
}
`},
	{name: "rate-limited", where: anywhere, probe: "0 3; 0 4", after: "-", text: `
static void $call(unsigned int op, long arg)
{
	@[static DEFINE_RATELIMIT_STATE(rs, 5 * HZ, 10);

	if (__ratelimit(&rs))
		@|if (printk_ratelimit())
		@|@]pr_info@[_ratelimited@|@]("adv_log $call %ld\n", arg);
	adv_out("%ld", arg @{+ #0@|* #5@});
}
`},
	{name: "locks-and-rcu", where: anywhere, setup: "0 3", probe: "1; 0 4; 1", text: `
struct $box { long v; struct rcu_head rcu; };
static struct $box __rcu *$box;
static DEFINE_SPINLOCK($lock);
static void $call(unsigned int op, long arg)
{
	struct $box *old, *new;

	if (op == 0) {
		new = kmalloc(sizeof(*new), GFP_KERNEL | __GFP_NOFAIL);
		new->v = arg;
		spin_lock(&$lock);
		old = rcu_replace_pointer($box, new, lockdep_is_held(&$lock));
		spin_unlock(&$lock);
		if (old)
			kfree_rcu(old, rcu);
		return;
	}
	rcu_read_lock();
	adv_out("v %ld", rcu_dereference($box)->v @{+@|*@} @{#0@|#5@});
	rcu_read_unlock();
}
`},
	{name: "atomics", where: anywhere, setup: "0 3", probe: "1; 2; 3", text: `
static atomic@a[@|64@|_long@]_t $n = ATOMIC@a[@|64@|_LONG@]_INIT(#0);
static unsigned long $bits[2];
static void $call(unsigned int op, long arg)
{
	if (op == 0) {
		atomic@a[@|64@|_long@]_add(arg, &$n);
		set_bit(arg, $bits);
	} else if (op == 1)
		adv_out("n %ld", (long)atomic@a[@|64@|_long@]_read(&$n) @{+@|*@} #1);
	else if (op == 2)
		adv_out("bits %d %d", test_and_set_bit(3, $bits), @{test_bit@|!test_bit@}(#2, $bits));
	else
		adv_out("xchg %ld", (long)atomic@a[@|64@|_long@]_cmpxchg(&$n, @{-1@|-#5@}, 0));
}
`},
	{name: "inline-assembly", where: anywhere, probe: "0 3; 1 4", text: `
static noinline long $f(long v)
{
	long r;

	asm volatile("lea @{#0@|#5@}(%1), %0\n\t"
		     @["jmp 1f\n\t"
		     "ud2\n"
		     "1:\n\t"@|"nop\n\t"@|".pushsection .text.unlikely, \"ax\"\n"
		     "nop\n"
		     ".popsection\n\t"@]
		     "add %2, %0" : "=r" (r) : "r" (v), "i" (@{1@|2@}));
	return r;
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
	{name: "random-order-flags", where: anywhere, probe: "0 3; 1 4", text: `
static noinline long $f(long v)
{
	unsigned long flags;

	local_irq_save(flags);
	preempt_disable();
	v += smp_processor_id() * 0 + @{#0@|#5@};
	preempt_enable();
	local_irq_restore(flags);
	return v * @{#1@|#1@|#6@} + !!current->pid;
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
	{name: "trace-points", where: builtin, probe: "0 3", text: `
static void $done(struct work_struct *w)
{
	adv_id(#1);
}
static DECLARE_WORK($work, $done);
static void $call(unsigned int op, long arg)
{
	void *p = kmalloc(@{32@|48@}, GFP_KERNEL);

	queue_work(system_wq, &$work);
	flush_work(&$work);
	adv_out("f %ld %d", arg + @{#0@|#5@}, p && ksize(p) >= 32);
	kfree(p);
}
`},
}
