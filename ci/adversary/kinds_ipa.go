package main

// What gcc concludes of a function and uses in its callers: that it has no effects, never returns, returns in a range, is
// the same as another, leaves registers alone.
var ipaKinds = []kind{
	{name: "pure-to-impure", where: anywhere, setup: "0 3", probe: "1 2; 2", text: `
static long $n;
static noinline long $get(long v)
{
	@{@|$n++;
	@|$n += v;
	@}return v * #0 + @[$n@|#1@];
}
static void $call(unsigned int op, long arg)
{
	long a, b;

	if (op == 0) {
		$n = arg;
	} else if (op == 1) {
		a = $get(arg);
		adv_id(0);
		b = $get(arg);
		adv_out("got %ld %ld", a, b);
		$n = #2;
	} else
		adv_out("n %ld", $n);
}
`},
	{name: "impure-to-pure", where: anywhere, setup: "0 3", probe: "1 2; 2", text: `
static long $n;
static noinline long $get(long v)
{
	@{$n++;
	@|@}return v * #0 + @[$n@|#1@];
}
static void $call(unsigned int op, long arg)
{
	long a, b;

	if (op == 0) {
		$n = arg;
	} else if (op == 1) {
		a = $get(arg);
		b = $get(arg);
		adv_out("got %ld %ld", a, b);
		$n = #2;
	} else
		adv_out("n %ld", $n);
}
`},
	{name: "const-argument", where: anywhere, probe: "0 5; 1 6; 2 7", text: `
static noinline long $scale(long v, int by, int flags)
{
	if (flags & 1)
		v += adv_id(#0);
	if (by == #1)
		return v * by;
	return v * by + flags;
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_out("scaled %ld", $scale(arg, #1, @{2@|3@|2@}));
	else if (op == 1)
		adv_out("scaled %ld", $scale(arg, #1, 2));
	else
		adv_out("third %ld", @{arg@|$scale(arg, #1, 2)@|$scale(arg, #5, 1)@|$scale(arg, arg, arg)@});
}
`},
	{name: "return-range", where: anywhere, probe: "0 1; 0 -3; 0 200", text: `
static noinline int $classify(long v)
{
	if (v < 0)
		return @{0@|-#5@|-1@};
	if (v > 100)
		return @{1@|2@|1@};
	return adv_id(v) & 1;
}
static void $call(unsigned int op, long arg)
{
	int c = $classify(arg);

	if (c < 0)
		adv_out("negative %d", c);
	else if (c > 1)
		adv_out("large %d", c);
	else
		adv_out("class %d", c);
}
`},
	{name: "argument-range", where: anywhere, probe: "0 1; 0 7; 1 900", text: `
static noinline int $bucket(unsigned long v)
{
	if (v >= 64)
		return -1;
	return adv_id(v) / 8;
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_out("bucket %d", $bucket(arg & @{31@|31@|255@}));
	else
		adv_out("bucket %d", $bucket(@{arg & 63@|arg@}));
}
`},
	{name: "noreturn-inferred", where: anywhere, probe: "0 3; 1 4", text: `
static noinline void $fail(long v)
{
	@{panic("$fail");@|if (v > #5 + 1000)
		panic("$fail");
	adv_out("failed softly %ld", v);@}
}
static void $call(unsigned int op, long arg)
{
	if (adv_id(arg) > 1000)
		$fail(arg);
	adv_out("goes on %ld", arg + @{#0@|#0@|#6@});
	@{@|$fail(arg);
	@}adv_out("end");
}
`},
	{name: "becomes-noreturn", where: anywhere, probe: "0 3; 1 4", text: `
static noinline void $fail(long v)
{
	@{if (v > 5000)
		panic("$fail");
	adv_out("failed softly %ld", v);@|panic("$fail #5");@}
}
static void $call(unsigned int op, long arg)
{
	if (adv_id(arg) > 1000)
		$fail(arg);
	adv_out("goes on %ld", arg + #0);
}
`},
	{name: "identical-functions-part", where: anywhere, setup: "2", probe: "0 3; 1 3; 3", text: `
static noinline long $first(long v)
{
	return adv_id(v) * #0 + #1;
}
static noinline long $second(long v)
{
	return adv_id(v) * #0 + @{#1@|#5@};
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_out("first %ld", $first(arg));
	else if (op == 1)
		adv_out("second %ld", $second(arg));
	@[@|else if (op == 2)
		adv_hold("$second", $second);
	else
		adv_out("held %ld", adv_fire("$second", 4));@]
}
`},
	{name: "functions-become-identical", where: anywhere, setup: "2", probe: "0 3; 1 3; 3", text: `
static noinline long $first(long v)
{
	return adv_id(v) * #0 + #1;
}
static noinline long $second(long v)
{
	return adv_id(v) * #0 + @{#2@|#1@};
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_out("first %ld", $first(arg));
	else if (op == 1)
		adv_out("second %ld %d", $second(arg), @{#3@|#5@});
	@[@|else if (op == 2)
		adv_hold("$second", $second);
	else
		adv_out("held %ld", adv_fire("$second", 4));@]
}
`},
	{name: "identical-tables", where: anywhere, probe: "0 0; 0 1; 1", text: `
static const long $first[] = { #0, #1 };
static const long $second[] = { #0, @{#1@|#5@} };
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_out("%ld %ld", $first[arg], $second[arg]);
	else
		adv_out("same %d", (const void *)adv_id((long)$first) == $second);
}
`},
	{name: "unused-argument", where: anywhere, probe: "0 3; 1 4", text: `
static noinline long $with(long v, long unused, struct list_head *l)
{
	@{@|v += unused;
	@|if (l)
		v += #5;
	@}return adv_id(v) + #0;
}
static void $call(unsigned int op, long arg)
{
	LIST_HEAD(l);

	adv_out("with %ld", $with(arg, #1, op ? &l : NULL));
}
`},
	{name: "by-reference", where: anywhere, probe: "0 3; 1 4", text: `
struct $pair { long a, b; };
static noinline long $sum(@[const @|@]struct $pair *p)
{
	return adv_id(p->a)@{@| + p->b@|+ #5@};
}
static void $call(unsigned int op, long arg)
{
	struct $pair p = { arg, #0 };

	adv_out("sum %ld", $sum(&p));
	p.b = op;
	adv_out("sum %ld", $sum(&p) + p.b);
}
`},
	{name: "unused-result", where: anywhere, probe: "0 3; 1 4", text: `
static long $last;
static noinline int $store(long v)
{
	$last = v;
	return @{#0@|v + #5@|-1@};
}
static void $call(unsigned int op, long arg)
{
	int r __maybe_unused = $store(arg);

	adv_out("stored %ld %d", $last, @{#1@|r@|r + #6@});
}
`},
	{name: "memory-untouched", where: anywhere, setup: "0 3", probe: "1 4", text: `
static long $a, $b;
static noinline void $touch(long v)
{
	@{$a = v;@|$a = v;
	$b = v + #5;@|$b = v * #5;@}
}
static void $call(unsigned int op, long arg)
{
	long before;

	if (op == 0) {
		$a = $b = adv_id(arg);
	} else {
		before = $b;
		$touch(arg);
		adv_out("a %ld b %ld before %ld", $a, $b, before);
		$a = $b = adv_id(3);
	}
}
`},
	{name: "registers-kept", where: anywhere, probe: "0 3; 1 4", text: `
static noinline long $leaf(long a, long b)
{
	@{return a * #0 ^ b;@|long x = a * #0, y = b * #5, z = a ^ b;

	return x * y ^ (z << 3) ^ (x >> 2) ^ div_s64(y, (int)z | 1);@}
}
static noinline long $busy(long a, long b, long c, long d)
{
	long s = $leaf(a, b);

	s += $leaf(b, c) * a;
	s += $leaf(c, d) * b + a;
	return s + a + b * 2 + c * 3 + d * 4;
}
static void $call(unsigned int op, long arg)
{
	adv_out("busy %ld", $busy(arg, op + #1, #2, #3));
}
`},
	{name: "unreachable", where: anywhere, probe: "0 1; 0 2", text: `
static noinline long $choose(long v)
{
	switch (v) {
	case 1: return #0;
	case 2: return @{#1@|adv_id(#5)@};
	default:
		@{unreachable();@|return #6;@|return -EINVAL;@}
	}
}
static void $call(unsigned int op, long arg)
{
	adv_out("chose %ld", $choose(arg));
}
`},
	{name: "partly-inlined", where: anywhere, probe: "0 3; 0 300; 1 4; 1 500", text: `
static long $slow;
static @[@|inline @]long $work(long v)
{
	long i;

	if (likely(v < #4))
		return v + @{#0@|#5@|#0@};
	for (i = 0; i < 4; i++) {
		$slow = adv_id(v + i * @{#1@|#6@});
		v ^= $slow;
		v += adv_id(i) * #2;
		adv_id(v - i);
	}
	return v + adv_id(@{#3@|#3@|#7@});
}
static noinline long $one(long v) { return $work(v) + 1; }
static noinline long $two(long v) { return $work(v * 2) + 2; }
static noinline long $three(long v) { return $work(v * 3) + 3; }
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld %ld", $one(arg), $two(arg), $three(arg));
}
`},
	{name: "single-caller-gains-another", where: anywhere, probe: "0 3; 1 4", text: `
static long $inner(long v)
{
	long i;

	for (i = 0; i < 3; i++)
		v = adv_id(v * #0) ^ adv_id(i + #1);
	return v;
}
static noinline long $outer(long v) { return $inner(v) + 1; }
static noinline long $other(long v) { return @{v@|$inner(v + #5)@|$outer(v) + $inner(#6)@}; }
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld", $outer(arg), $other(arg));
}
`},
	{name: "written-once", where: anywhere, setup: "0 1", probe: "1; 0 1; 1", text: `
static bool @[__read_mostly @|@]$on;
static long $n;
static void $call(unsigned int op, long arg)
{
	if (op == 0) {
		@[if (arg)
			$on = true;@|$on = arg;@]
		$n += #1;
		$n = #2;
	} else
		adv_out("on %d %ld", $on, $on ? @{#0@|#5@} : $n);
}
`},
}
