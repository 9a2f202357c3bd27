package main

// Tasks that sleep in code of the update, or in what it replaces, while the update is undone. What they do shows in the kernel's
// log if at all: the code that they come back to must still be there.
var sleepKinds = []kind{
	{name: "sleeps-in-cold-part", where: anywhere, probe: "0 3; &0 300", after: "0 3", text: `
static noinline long $f(long v)
{
	if (unlikely(v > 100)) {
		adv_id(v);
		@{adv_id(#0);@|msleep(1500);
		adv_id(#5);@|adv_id(#6);
		msleep(1000 + #5);
		adv_id(#7);@}
		return -EINVAL;
	}
	return v + #1;
}
static void $call(unsigned int op, long arg)
{
	long r = $f(arg);

	if (arg < 100)
		adv_out("f %ld", r);
}
`},
	{name: "sleeps-in-new-helper", where: anywhere, probe: "0 3; &0 300", after: "0 3", text: `
@{@|static noinline long $wait(long v)
{
	if (v > 100)
		msleep(1000 + #5);
	return adv_id(v) + #6;
}
@}static noinline long $f(long v)
{
	adv_id(#0);
	return @{adv_id(v)@|$wait(v)@|$wait(v) * 2@};
}
static void $call(unsigned int op, long arg)
{
	long r = $f(arg);

	if (arg < 100)
		adv_out("f %ld", r);
}
`},
	{name: "sleeps-in-replaced", where: anywhere, probe: "0 3; &0 300", after: "0 3", text: `
static noinline long $f(long v)
{
	@{adv_id(#0);@|if (v > 100)
		msleep(1000 + #5);@}
	return adv_id(v) * #1;
}
static void $call(unsigned int op, long arg)
{
	long r = $f(arg);

	if (arg < 100)
		adv_out("f %ld", r);
}
`},
	{name: "sleeps-in-untraced-copy", where: anywhere, probe: "0 3; &0 300", after: "0 3", text: `
static noinline notrace long $g(long v)
{
	if (v > 100)
		@{adv_id(#0);@|msleep(1000 + #5);@}
	return adv_id(v) * @{#1@|#6@};
}
static noinline long $f(long v)
{
	return $g(v) + #2;
}
static void $call(unsigned int op, long arg)
{
	long r = $f(arg);

	if (arg < 100)
		adv_out("f %ld", r);
}
`},
	{name: "sleeps-in-new-work", where: anywhere, probe: "0 3; 1", after: "0 3", text: `
@{@|static void $do(struct work_struct *w)
{
	msleep(1000 + #5);
	adv_id(#6);
}
static DECLARE_@w[WORK@|DELAYED_WORK@]($work, $do);
@}static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_out("%ld", arg + #0);
	@{@|else
		@w[schedule_work(&$work);@|schedule_delayed_work(&$work, HZ / 4);@]@}
}
`},
	{name: "old-code-sleeps", where: anywhere, setup: "&0 300", probe: "0 3; 1", after: "0 3", text: `
static noinline long $g(long v)
{
	return adv_id(v) * @{#0@|#5@};
}
static noinline long $f(long v)
{
	if (v > 100)
		msleep(@[700@|1500@]);
	return $g(v) + @{#1@|#6@|#1@};
}
static void $call(unsigned int op, long arg)
{
	long r = op ? 0 : $f(arg);

	if (arg < 100)
		adv_out("f %ld", r);
}
`},
}
