package main

// What only modules have: exit code, parameters, imports between modules.
var moduleKinds = []kind{
	{name: "exit-code", where: modular, exit: "$bye();", probe: "0 3", text: `
static noinline long $last(long v)
{
	return adv_id(v) + @{#0@|#5@};
}
static @[void __exit@|noinline void __exit@|noinline void@] $bye(void)
{
	adv_id($last(@{#1@|#1@|#6@}));
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", $last(arg));
}
`},
	{name: "parameter", where: anywhere, probe: "0 3", text: `
static int $param = @{#0@|#0@|#5@};
module_param($param, int, @{0444@|0444@|0644@});
@{@|static int $other = #6;
module_param($other, int, 0444);
@|@}static void $call(unsigned int op, long arg)
{
	adv_out("%ld", arg * $param + @{#1@|#7@});
}
`},
	{name: "imports-more", where: pair, probe: "0 3; 1 4", header: `
long $one(long v);
@[long $two(long v);@|@]
`, other: `
long $one(long v)
{
	return adv_id(v) + #0;
}
EXPORT_SYMBOL_GPL($one);
long $two(long v);
long $two(long v)
{
	return adv_id(v) * #1;
}
EXPORT_SYMBOL_GPL($two);
`, text: `
long $two(long v);
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", $one(arg) + @{#2@|$two(arg)@|#5@});
}
`},
	{name: "import-from-kernel", where: modular, probe: "0 3; 1 4", text: `
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", arg * #0 + @{#1@|(long)jiffies_to_msecs(#5)@|(long)int_sqrt(#5)@|(long)strlen(kbasename("/a/b/$call"))@});
}
`},
	{name: "exported-in-pair", where: pair, setup: "0 2", probe: "1 3; 2", header: `
void $set(long v);
long $get(long v);
@{@|@|long $more(long v);
@}`, other: `
static long $state;
static noinline long $inner(long v)
{
	return $state * #0 + adv_id(v)@{@| + #5@|@};
}
void $set(long v) { $state = v; }
EXPORT_SYMBOL_GPL($set);
long $get(long v) { return $inner(v) + @{#1@|#1@|#6@}; }
EXPORT_SYMBOL_GPL($get);
`, text: `
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$set(arg);
	else
		adv_out("%ld", $get(arg)@{@|@| + #7@});
}
`},
	{name: "new-export-in-pair", where: pair, probe: "0 3; 1 4", header: `
long $old(long v);
@{@|long $new(long v);
@}`, other: `
long $old(long v)
{
	return adv_id(v) + #0;
}
EXPORT_SYMBOL_GPL($old);
@{@|long $new(long v)
{
	return adv_id(v) * #5@[@| + $old(v)@];
}
EXPORT_SYMBOL_GPL($new);
@}`, text: `
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", $old(arg) + @{#1@|$new(arg)@});
}
`},
	{name: "new-variable-in-pair", where: pair, probe: "0 3; 1 4", after: "-", header: `
void $old(long v);
@{@|extern long $new;
@}`, other: `
@{@|long $new = #5;
EXPORT_SYMBOL_GPL($new);
@}void $old(long v)
{
	@{adv_id(v);@|$new += v;@}
}
EXPORT_SYMBOL_GPL($old);
`, text: `
static void $call(unsigned int op, long arg)
{
	$old(arg);
	adv_out("%ld", @{arg@|$new@});
}
`},
}
