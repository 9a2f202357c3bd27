package main

// Where code and data lie: cold parts, init code, sections by attribute, functions that cannot be traced.
var sectionKinds = []kind{
	{name: "cold-part", where: anywhere, probe: "0 3; 0 300; 1 400", text: `
static noinline long $check(long v)
{
	if (unlikely(v > 100)) {
		adv_out("large %ld", v @{* #0@|* #5@|- #5@});
		adv_id(v);
		return -@{#1@|#1@|#6@};
	}
	return v + #2@{@|@| + #7@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("checked %ld", $check(arg));
}
`},
	{name: "cold-call", where: anywhere, probe: "0 3; 0 300", text: `
static __cold @[noinline @|@]void $complain(long v)
{
	adv_out("complaint %ld", v + @{#0@|#5@});
}
static long $check(long v)
{
	if (v > 100)
		$complain(v);
	return v + #1;
}
static void $call(unsigned int op, long arg)
{
	adv_out("checked %ld", $check(arg));
}
`},
	{name: "becomes-cold", where: anywhere, probe: "0 3; 0 300", text: `
static @[noinline @|@]@{@|__cold @}void $complain(long v)
{
	adv_out("complaint %ld", v + @{#0@|#0@|#5@});
}
static noinline long $check(long v)
{
	if (v > 100)
		$complain(v);
	return v + @{#1@|#6@|#1@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("checked %ld", $check(arg));
}
`},
	{name: "no-longer-cold", where: anywhere, probe: "0 3; 0 300", text: `
static noinline @{__cold @|@}void $complain(long v)
{
	adv_out("complaint %ld", v + @{#0@|#5@});
}
static noinline long $check(long v)
{
	if (v > 100)
		$complain(v);
	return v + #1;
}
static void $call(unsigned int op, long arg)
{
	adv_out("checked %ld", $check(arg));
}
`},
	{name: "cold-part-appears", where: anywhere, probe: "0 3; 0 300", text: `
static noinline long $check(long v)
{
	if (@{v > 100@|unlikely(v > 100)@}) {
		@{adv_id(v);@|adv_out("large %ld %d", v, #5);@|WARN_ON_ONCE(v == -#5);
		adv_out("large %d", #6);@}
		return #0;
	}
	return v;
}
static void $call(unsigned int op, long arg)
{
	adv_out("checked %ld", $check(arg));
}
`},
	{name: "init-code", where: anywhere, init: "$at_boot = $prepare();", probe: "0", text: `
static long $at_boot;
static int __init $compute(long v)
{
	return v * @{#0@|#5@};
}
static @[__init @|noinline __init @]long $prepare(void)
{
	return $compute(adv_id(#1));
}
static void $call(unsigned int op, long arg)
{
	adv_out("at boot %ld %d", $at_boot, @{#2@|#2@|#6@});
}
`},
	{name: "init-and-runtime-caller", where: builtin, probe: "0 3", text: `
static long $at_boot;
static noinline long $compute(long v)
{
	return adv_id(v) * @{#0@|#5@};
}
static int __init $prepare(void)
{
	$at_boot = adv_id(#1);
	adv_id($compute(#2));
	return 0;
}
late_initcall($prepare);
static void $call(unsigned int op, long arg)
{
	adv_out("at boot %ld %ld", $at_boot, $compute(arg));
}
`},
	{name: "leaves-init", where: builtin, probe: "0 3; 1 4", text: `
static @{__init @|@}noinline long $compute(long v)
{
	return adv_id(v) * #0;
}
static int __init $prepare(void)
{
	adv_id($compute(#2));
	return 0;
}
late_initcall($prepare);
static void $call(unsigned int op, long arg)
{
	adv_out("computed %ld", @{arg@|$compute(arg)@});
}
`},
	{name: "init-data", where: builtin, probe: "0 3", text: `
static @[const long $table[] __initconst@|long $table[] __initdata@|long $table[] __ro_after_init@|const long $table[]@] = { #0, @{#1@|#5@}, #2 };
static long $sum;
static int __init $prepare(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE($table); i++)
		$sum += adv_id($table[i]);
	return 0;
}
late_initcall($prepare);
static void $call(unsigned int op, long arg)
{
	adv_out("sum %ld %ld", $sum, arg + @{#3@|#6@});
}
`},
	{name: "own-text-section", where: builtin, probe: "0 3; 1 4", text: `
static noinline @{__section(".text.@s[hot@|unlikely@].adversary")@|__section(".text.@s[hot@|unlikely@].adversary")@|@} long $f(long v)
{
	return adv_id(v) + @{#0@|#5@|#5@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
	{name: "scheduler-text", where: builtin, probe: "0 3", text: `
static noinline @[__sched@|__lockfunc@|__cpuidle@|noinstr@|notrace@|__ref@] long $f(long v)
{
	return v * @{#0@|#5@} + #1;
}
static noinline long $g(long v)
{
	return $f(v) + adv_id(#2);
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $g(arg));
}
`},
	{name: "notrace-static", where: anywhere, probe: "0 3; 1 4", text: `
static noinline @{notrace@|notrace@|@} long $f(long v)
{
	return adv_id(v) * @{#0@|#5@|#6@};
}
static noinline long $g(long v) { return $f(v) + 1; }
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld", $f(arg), $g(arg));
}
`},
	{name: "notrace-held", where: anywhere, setup: "0", probe: "1 3; 2 4", text: `
static notrace long $f(long v)
{
	return adv_id(v) * @{#0@|#5@};
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_hold("$f", $f);
	else if (op == 1)
		adv_out("fired %ld", adv_fire("$f", arg));
	else
		adv_out("called %ld", $f(arg));
}
`},
	{name: "untraced-unit", where: anywhere, flags: "CFLAGS_REMOVE_@ = $(CC_FLAGS_FTRACE)", probe: "0 3; 1 4", text: `
static noinline long $f(long v)
{
	return adv_id(v) * @{#0@|#5@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
	{name: "untraced-other", where: builtin, probe: "0 3; 1 4", flags: "CFLAGS_REMOVE_% = $(CC_FLAGS_FTRACE)", header: `
long $lib(long v);
`, other: `
static noinline long $inner(long v)
{
	return adv_id(v) + @{#0@|#5@};
}
long $lib(long v)
{
	return $inner(v) * #1;
}
`, text: `
static void $call(unsigned int op, long arg)
{
	adv_out("lib %ld", $lib(arg));
}
`},
	{name: "read-mostly", where: anywhere, setup: "0 5", probe: "1", text: `
static long $v @{__read_mostly@|@|____cacheline_aligned@|__aligned(64)@};
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$v = arg;
	else
		adv_out("v %ld", $v + @{#0@|#5@});
}
`},
	{name: "warnings", where: anywhere, probe: "0 3; 1 3; 2 3", after: "0 3; 1 3", text: `
static void $call(unsigned int op, long arg)
{
	if (WARN_ON_ONCE(op == 99))
		return;
	if (op == 1)
		pr_info("adv_log $call %ld\n", arg @{+ #0@|+ #5@});
	else if (op == 2)
		pr_info_once("adv_log once $call %d\n", @{#1@|#6@});
	else
		adv_out("fine %ld", arg + @{#2@|#7@});
	WARN(arg == -#3, "never %ld", arg);
	@[might_sleep();
	@|@]BUG_ON(arg < -5000);
}
`},
	{name: "lines-shift", where: anywhere, probe: "0 3; 1 4", text: `
@{@|/* One more line. */

@|/*
 * #5
 * More
 * lines.
 */
@}static noinline long $quiet(long v)
{
	WARN_ON_ONCE(v == -1);
	@[might_sleep();
	@|@]if (WARN_ON(v < -1000))
		return 0;
	return adv_id(v) + #0;
}
static noinline long $changed(long v)
{
	WARN_ON_ONCE(v == -2);
	return adv_id(v) * @{#1@|#5@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld", $quiet(arg), $changed(arg));
}
`},
	{name: "warns", where: anywhere, probe: "0 3; 1 4", after: "-", text: `
static noinline long $f(long v)
{
	if (WARN_ON_ONCE(v > @{1000@|2@}))
		return -#0;
	return v;
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
}
