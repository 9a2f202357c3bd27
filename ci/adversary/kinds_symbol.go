package main

// Names: new, renamed, made global, made static, weak, alias, moved between units; prototypes.
var symbolKinds = []kind{
	{name: "function-renamed", where: anywhere, probe: "0 3; 1 4", text: `
static noinline long @k{$old@|$new@|$newer@}(long v)
{
	return adv_id(v) * @{#0@|#0@|#5@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", @k{$old@|$new@|$newer@}(arg + @{#1@|#6@}));
}
`},
	{name: "function-renamed-held", where: anywhere, setup: "0", probe: "1 3; 2 4; 3 5", after: "1 3; 3 5", text: `
@{@|@<@|static long $old(long v)
{
	return adv_id(v) * #0;
}
@>@}static long @k{$old@|$new@}(long v)
{
	return adv_id(v) * @{#0@|#0@|#5@};
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_hold("$f", @k{$old@|@<$new@|$old@>@});
	else if (op == 1)
		adv_out("fired %ld", adv_fire("$f", arg));
	else if (op == 2)
		adv_out("same %d", adv_held("$f") == (void *)@k{$old@|$new@});
	else
		adv_out("called %ld", @k{$old@|$new@}(arg));
}
`},
	{name: "names-exchanged", where: anywhere, setup: "0", probe: "1 3; 2 4; 3 5", text: `
static noinline long @k{$a@|$b@}(long v)
{
	return adv_id(v) * #0;
}
static noinline long @k{$b@|$a@}(long v)
{
	return adv_id(v) + #1;
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_hold("$a", $a);
	else if (op == 1)
		adv_out("fired %ld", adv_fire("$a", arg));
	else if (op == 2)
		adv_out("a %ld", $a(arg));
	else
		adv_out("b %ld", $b(arg));
}
`},
	{name: "new-global-function", where: anywhere, probe: "0 3; 1 4", header: `
@{@|long $new(long v);
@}long $there(long v);
`, other: `
@{@|long $new(long v)
{
	return adv_id(v) * #5;
}
ADV_EXPORT($new);
@}long $there(long v)
{
	return adv_id(v) + @{#0@|$new(v)@|#0@};
}
ADV_EXPORT($there);
`, text: `
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld", $there(arg), @{arg@|$new(arg)@});
}
`},
	{name: "new-global-variable", where: anywhere, probe: "0 3; 0 4; 1", after: "-", header: `
@{@|extern long $shared;
@}void $there(long v);
`, other: `
@{@|long $shared = #5;
ADV_EXPORT($shared);
@}void $there(long v)
{
	@{adv_id(v);@|$shared += v;@}
}
ADV_EXPORT($there);
`, text: `
static void $call(unsigned int op, long arg)
{
	$there(arg);
	adv_out("shared %ld", @{arg@|$shared@});
}
`},
	{name: "global-changed", where: anywhere, probe: "0 3; 1 4", header: `
long $there(long v);
`, other: `
long $there(long v)
{
	return adv_id(v) + @{#0@|#5@};
}
ADV_EXPORT($there);
`, text: `
static noinline long $here(long v)
{
	return $there(v) * #1;
}
static void $call(unsigned int op, long arg)
{
	adv_out("here %ld", op ? $here(arg) : $there(arg));
}
`},
	{name: "global-state", where: anywhere, setup: "0 3; 0 4", probe: "1; 2", header: `
extern long $state;
extern const long $constant;
void $add(long v);
`, other: `
long $state@[@| = #0@];
const long $constant = @{#1@|#1@|#6@};
void $add(long v)
{
	$state += v;
}
ADV_EXPORT($state);
ADV_EXPORT($constant);
ADV_EXPORT($add);
`, text: `
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$add(arg);
	else
		adv_out("state %ld %ld", $state @{+@|*@} #2, $constant);
}
`},
	{name: "prototype", where: anywhere, probe: "0 3; 1 4", header: `
long $there(long v@k{@|, int w@|, long *out@});
`, other: `
long $there(long v@k{@|, int w@|, long *out@})
{
	@k{@|v += w;
	@|*out = v + #5;
	@}return adv_id(v) + #0;
}
ADV_EXPORT($there);
`, text: `
static void $call(unsigned int op, long arg)
{
	long out = #1;
	long r = $there(arg@k{@|, #6@|, &out@});

	adv_out("%ld %ld", r, out);
}
`},
	{name: "static-prototype", where: anywhere, probe: "0 3; 1 4", text: `
static noinline @k{long@|long@|int@} $f(long v@k{@|, int w@|@})
{
	return adv_id(v) + @k{#0@|w@|#5@};
}
static noinline long $g(long v)
{
	return $f(v@k{@|, #6@|@}) * 2;
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld", $f(arg@k{@|, #7@|@}), $g(arg));
}
`},
	{name: "held-prototype", where: anywhere, setup: "0", probe: "1 3", text: `
struct $obj { long v; long (*f)(struct $obj *o@k{@|, int w@}); };
static struct $obj $obj;
static long $f(struct $obj *o@k{@|, int w@})
{
	return o->v + @k{#0@|w@};
}
static void $call(unsigned int op, long arg)
{
	if (op == 0) {
		$obj.v = #1;
		$obj.f = $f;
	} else
		adv_out("f %ld", $obj.f(&$obj@k{@|, #5@}));
}
`},
	{name: "made-global", where: together, probe: "0 3; 1 4", header: `
@k{@|long $f(long v);
@}long $there(long v);
`, other: `
long $there(long v)
{
	return @k{adv_id(v)@|$f(v)@} * #1;
}
`, text: `
@k{static noinline @|@}long $f(long v)
{
	return adv_id(v) + @{#0@|#0@|#5@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld", $f(arg), $there(arg));
}
`},
	{name: "made-static", where: anywhere, probe: "0 3; 1 4", text: `
@{long $f(long v);
@|@}@{@|static noinline @}long $f(long v)
{
	return adv_id(v) + @{#0@|#5@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", $f(arg));
}
`},
	{name: "variable-made-global", where: together, setup: "0 3", probe: "1; 2 5; 1", after: "0 3; 1", header: `
@k{@|extern long $v;
@}void $there(long v);
`, other: `
void $there(long v)
{
	@k{adv_id(v);@|$v += v;@}
}
`, text: `
@k{static @|@}long $v;
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$v = arg;
	else if (op == 1)
		adv_out("v %ld", $v);
	else
		$there(arg);
}
`},
	{name: "moved-to-other-unit", where: together, probe: "0 3; 1 4", header: `
long $f(long v);
long $there(long v);
`, other: `
@k{@|long $f(long v)
{
	return adv_id(v) + #5;
}
@}long $there(long v)
{
	return $f(v) * #1;
}
`, text: `
@k{long $f(long v)
{
	return adv_id(v) + #0;
}
@|@}static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld", $f(arg), $there(arg));
}
`},
	{name: "static-twins-in-two-units", where: anywhere, setup: "0 3; 1 4", probe: "2 5; 3 6", header: `
void $set(long v);
long $get(long v);
`, other: `
static long $twin;
static noinline long $twins(long v)
{
	return $twin + adv_id(v)@{@| + #5@|@};
}
void $set(long v) { $twin = v; }
long $get(long v) { return $twins(v) * #0; }
ADV_EXPORT($set);
ADV_EXPORT($get);
`, text: `
static long $twin;
static noinline long $twins(long v)
{
	return $twin * adv_id(v)@{@|@| + #6@|+ #7@};
}
static void $call(unsigned int op, long arg)
{
	switch (op) {
	case 0: $twin = arg; break;
	case 1: $set(arg); break;
	case 2: adv_out("here %ld", $twins(arg)); break;
	case 3: adv_out("there %ld", $get(arg)); break;
	}
}
`},
	{name: "weak", where: builtin, probe: "0 3; 1 4", header: `
long $w(long v);
long $x(long v);
`, other: `
@[long $w(long v)
{
	return adv_id(v) * #0;
}
@|@]long $x(long v)
{
	return $w(v) + #1;
}
`, text: `
long __weak $w(long v)
{
	return adv_id(v) + @{#2@|#5@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld", $w(arg), $x(arg));
}
`},
	{name: "strong-behind-weak", where: builtin, probe: "0 3", header: `
long $w(long v);
`, other: `
long $w(long v)
{
	return adv_id(v) * @{#0@|#5@};
}
`, text: `
long __weak $w(long v)
{
	return adv_id(v) + #2;
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", $w(arg));
}
`},
	{name: "alias", where: anywhere, setup: "0", probe: "1 3; 2 4; 3 5", text: `
long $target(long v);
noinline long $target(long v)
{
	return adv_id(v) * @{#0@|#5@};
}
@[static @|@]long $alias(long v) __attribute__((alias("$target")));
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_hold("$alias", $alias);
	else if (op == 1)
		adv_out("fired %ld", adv_fire("$alias", arg));
	else if (op == 2)
		adv_out("alias %ld", $alias(arg));
	else
		adv_out("target %ld", $target(arg));
}
`},
	{name: "alias-moves", where: anywhere, probe: "2 4; 3 5", text: `
long $one(long v);
noinline long $one(long v) { return adv_id(v) * #0; }
long $two(long v);
noinline long $two(long v) { return adv_id(v) + #1; }
long $alias(long v) __attribute__((alias("@{$one@|$two@}")));
static void $call(unsigned int op, long arg)
{
	if (op == 2)
		adv_out("alias %ld", $alias(arg));
	else
		adv_out("one %ld", $one(arg));
}
`},
	{name: "new-export", where: anywhere, probe: "0 3", text: `
long $f(long v);
noinline long $f(long v)
{
	return adv_id(v) + @{#0@|#5@};
}
@{@|EXPORT_SYMBOL_GPL($f);
@}static void $call(unsigned int op, long arg)
{
	adv_out("%ld", $f(arg));
}
`},
	{name: "export-removed", where: anywhere, probe: "0 3", text: `
long $f(long v);
noinline long $f(long v)
{
	return adv_id(v) + @{#0@|#5@};
}
@{EXPORT_SYMBOL_GPL($f);
@|@}static void $call(unsigned int op, long arg)
{
	adv_out("%ld", $f(arg));
}
`},
	{name: "only-adds-code", where: anywhere, probe: "0 3; 1 4", header: `
long $there(long v);
@{@|long $new(long v);
@}`, other: `
long $there(long v)
{
	return adv_id(v) + #0;
}
ADV_EXPORT($there);
@{@|long $new(long v)
{
	static long n;

	n += $there(v);
	return n + #5;
}
ADV_EXPORT($new);
@|long $new(long v)
{
	return $there(v) * #5;
}
ADV_EXPORT($new);
@}`, text: `
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", @{$there(arg)@|$new(arg)@});
}
`},
}
