package main

// Functions and objects that old code has handed out: to slots, timers, work queues, notifiers, tables of operations.
var callbackKinds = []kind{
	{name: "callback-changed", where: anywhere, setup: "0", probe: "1 3; 1 4", text: `
static @[noinline@|@] long $cb(long v)
{
	return v * @{#0@|#5@} @{+@|-@|+@} #1;
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_hold("$cb", $cb);
	else
		adv_out("fired %ld", adv_fire("$cb", arg));
}
`},
	{name: "callback-replaced", where: anywhere, setup: "0", probe: "1 3", text: `
static long $cb(long v)
{
	return v * #0;
}
@{@|static long $cb2(long v)
{
	return v * #5;
}
@}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_hold("$cb", @{$cb@|$cb2@});
	else
		adv_out("fired %ld %ld", adv_fire("$cb", arg), $cb(arg));
}
`},
	{name: "callback-changed-and-no-longer-armed", where: anywhere, setup: "0", probe: "1 3; 2 4", text: `
static long $helper(long v)
{
	return v + @{#1@|#6@};
}
static long $cb(long v)
{
	return $helper(v) * @{#0@|#5@};
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		@{adv_hold("$cb", $cb);@|@<adv_id(#7);@|adv_hold("$cb", $cb);@>@}
	else if (op == 1)
		adv_out("fired %ld", adv_fire("$cb", arg));
	else
		adv_out("called %ld", $cb(arg));
}
`},
	{name: "callback-no-longer-used", where: anywhere, setup: "0", probe: "1 3; 2 4", text: `
static long $helper(long v)
{
	return v + @{#1@|#6@};
}
@{static long $cb(long v)
{
	return $helper(v) * #0;
}
@|@<@|static long $cb(long v)
{
	return (v + #1) * #0;
}
@>@}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		@{adv_hold("$cb", $cb);@|@<adv_id(#7);@|adv_hold("$cb", $cb);@>@}
	else if (op == 1)
		adv_out("fired %ld", adv_fire("$cb", arg));
	else
		adv_out("helped %ld", $helper(arg));
}
`},
	{name: "function-identity", where: anywhere, setup: "0", probe: "1; 2 3", text: `
static long $a(long v) { return v + @{#0@|#5@}; }
static long $b(long v) { return v * @{#1@|#1@|#6@}; }
static long (*$fn)(long) @[@|__read_mostly@] = @[NULL@|$b@];
static void $call(unsigned int op, long arg)
{
	if (op == 0) {
		$fn = $a;
		adv_hold("$fn", $a);
	} else if (op == 1)
		adv_out("same %d %d %d", $fn == $a, $fn == $b, adv_held("$fn") == (void *)$a);
	else
		adv_out("value %ld %d", $fn(arg), @{1@|#7@});
}
`},
	{name: "new-callback", where: anywhere, probe: "0; 1 3; 2", after: "1 3", text: `
static long $calls;
@{@|static @[long@|noinline long@] $cb(long v)
{
	return v + #5 + 0 * $calls++;
}
@}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		@{adv_id(op)@|adv_hold("$cb", $cb)@};
	else if (op == 1)
		adv_out("fired %ld", adv_fire("$cb", arg));
	else
		adv_keep("$cb", NULL);
}
`},
	{name: "timer", where: anywhere, setup: "0", probe: "1; 2; 2", after: "1; 2", text: `
static long $last;
static void $tick(struct timer_list *t)
{
	$last = @{#0@|#5@};
}
static @[DEFINE_TIMER($timer, $tick);@|struct timer_list $timer;@]
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		timer_setup(&$timer, $tick, 0);
	else if (op == 1) {
		mod_timer(&$timer, jiffies + 1);
		while (timer_pending(&$timer))
			msleep(@{10@|12@});
		del_timer_sync(&$timer);
	} else
		adv_out("last %ld %d", $last, $timer.function == $tick);
}
`},
	{name: "work", where: anywhere, setup: "0", probe: "1 3; 1 4", text: `
struct $job { struct work_struct work; long in, out; };
static struct $job $job;
static void $do(struct work_struct *w)
{
	struct $job *j = container_of(w, struct $job, work);

	j->out = j->in * @{#0@|#5@};
}
static void $call(unsigned int op, long arg)
{
	if (op == 0) {
		INIT_WORK(&$job.work, $do);
	} else {
		$job.in = arg;
		schedule_work(&$job.work);
		flush_work(&$job.work);
		adv_out("out %ld", $job.out @{@|+ 1@|@});
	}
}
`},
	{name: "static-work", where: anywhere, probe: "1 3; 1 4", text: `
static long $in, $result;
static void $do(struct work_struct *w)
{
	$result = $in @{+@|*@|-@} @{#0@|#5@};
}
static DECLARE_@w[WORK@|DELAYED_WORK@]($work, $do);
static void $call(unsigned int op, long arg)
{
	$in = arg;
	@w[schedule_work(&$work);@|schedule_delayed_work(&$work, 0);@]
	@w[flush_work(&$work);@|flush_delayed_work(&$work);@]
	adv_out("result %ld", $result);
}
`},
	{name: "notifier", where: anywhere, setup: "0", probe: "1 3; 1 4", after: "1 3; 2; 1 4", text: `
static int $event(struct notifier_block *nb, unsigned long event, void *data)
{
	if (data == (void *)&$event)
		adv_out("event %lu", event * @{#0@|#5@});
	return NOTIFY_@{OK@|DONE@|OK@};
}
static struct notifier_block $nb = { .notifier_call = $event, @[@|.priority = #1@] };
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_watch("$nb", &$nb);
	else if (op == 1)
		adv_notify(arg, (void *)&$event);
	else
		adv_unwatch("$nb");
}
`},
	{name: "operations", where: anywhere, setup: "0", probe: "1 3; 2 3", text: `
struct $ops { long (*get)(long); long (*put)(long); const char *name; };
static long $get(long v) { return v + @{#0@|#5@}; }
static long $put(long v) { return v - @{#1@|#1@|#6@}; }
static @[const@|@] struct $ops $ops = { .get = $get, .put = $put, .name = "$ops" };
static void $call(unsigned int op, long arg)
{
	const struct $ops *o = adv_kept("$ops");

	if (op == 0)
		adv_keep("$ops", &$ops);
	else if (op == 1)
		adv_out("%s get %ld", o->name, o->get(arg));
	else
		adv_out("%d put %ld", o == &$ops, @{o@|(&$ops)@}->put(arg));
}
`},
	{name: "operations-entry", where: anywhere, setup: "0", probe: "1 3; 2 3", text: `
struct $ops { long (*get)(long); long (*put)(long); };
static long $get(long v) { return v + #0; }
static long $put(long v) { return v - #1; }
@k{@|static long $put2(long v) { return v - #5; }
@|@}static @[const@|@] struct $ops $ops = { .get = $get, @k{.put = $put@|.put = $put2@|.put = $get@} };
static void $call(unsigned int op, long arg)
{
	const struct $ops *o = adv_kept("$ops");

	if (op == 0)
		adv_keep("$ops", &$ops);
	else if (op == 1)
		adv_out("get %ld", o->get(arg));
	else
		adv_out("put %ld %ld", o->put(arg), @k{$put(arg)@|$put2(arg)@|$put(arg)@} @k{@|@|+ #6@});
}
`},
	{name: "operations-in-heap", where: anywhere, setup: "0", probe: "1 3; 2 3", after: "1 3", text: `
struct $obj { long (*op)(struct $obj *, long); long v; };
static noinline long $op(struct $obj *o, long v)
{
	return o->v * @{#0@|#5@} + v;
}
static struct $obj *$new(long v)
{
	struct $obj *o = kmalloc(sizeof(*o), GFP_KERNEL | __GFP_NOFAIL);

	o->op = $op;
	o->v = v;
	return o;
}
static void $call(unsigned int op, long arg)
{
	struct $obj *o;

	if (op == 0) {
		adv_keep("$obj", $new(#1));
	} else if (op == 1) {
		o = adv_kept("$obj");
		adv_out("op %ld", o->op(o, arg));
	} else {
		o = $new(@{arg@|arg + #6@});
		adv_out("op %ld %d", o->op(o, arg), o->op == ((struct $obj *)adv_kept("$obj"))->op);
		kfree(o);
	}
}
`},
	{name: "recursive-callback", where: anywhere, setup: "0", probe: "1 5", text: `
static long $walk(long v)
{
	if (v <= 0)
		return @{#0@|#5@};
	return v + @[adv_fire("$walk", v - 1)@|$walk(v - 1)@];
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_hold("$walk", $walk);
	else
		adv_out("walked %ld", adv_fire("$walk", arg));
}
`},
	{name: "string-handed-out", where: anywhere, setup: "0", probe: "1; 0; 1", text: `
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_keep("$name", "$same");
	else
		adv_out("name %s %d", (const char *)adv_kept("$name"), @{#0@|#5@});
}
`},
	{name: "new-string-handed-out", where: anywhere, setup: "0", probe: "0; 1", after: "1", text: `
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_keep("$name", @{"$old"@|"$new #5"@|"$also #5"@});
	else
		adv_out("name %.4s %d", (const char *)adv_kept("$name"), strlen((const char *)adv_kept("$name")) > 0);
}
`},
	{name: "new-callback-left", where: anywhere, setup: "2", probe: "0; 1 3", after: "2", text: `
@{@|static noinline long $cb(long v)
{
	return adv_id(v) + #5;
}
@}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		@{adv_id(op)@|adv_hold("$cb", $cb)@};
	else if (op == 1)
		adv_out("fired %ld", adv_fire("$cb", arg));
	else
		adv_fire("$cb", arg);
}
`},
	{name: "new-data-left", where: anywhere, setup: "2", probe: "0; 1", after: "2", text: `
@{@|static @[const@|@] long $data@k[@|[2]@] = @k[#5@|{ #5, #6 }@];
@|static @[const@|@] char $data[] = "$data #5";
@}
static void $call(unsigned int op, long arg)
{
	const char *p = adv_kept("$data");

	if (op == 0)
		@{adv_id(op)@|adv_keep("$data", &$data)@};
	else if (op == 1)
		adv_out("data %d", p ? *p : -1);
	else if (p)
		adv_id(*p);
}
`},
	{name: "constant-handed-out", where: anywhere, setup: "0", probe: "1 1; 2 2", text: `
struct $limits { int low, high; };
static const struct $limits $limits@k[@|[2]@] = @k[{@|{ {@] #0, @{#1@|#5@} @k[}@|} }@];
static void $call(unsigned int op, long arg)
{
	const struct $limits *l = adv_kept("$limits");

	if (op == 0)
		adv_keep("$limits", &$limits);
	else if (op == 1)
		adv_out("high %d", l->high + (int)arg);
	else
		adv_out("same %d", l == (const void *)&$limits);
}
`},
}
