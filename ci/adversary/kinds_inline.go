package main

// Functions that are inlined, no longer inlined, or get callers of their own.
var inlineKinds = []kind{
	{name: "inline-grows", where: anywhere, probe: "0 3; 1 4", text: `
static @[@|inline @]long $small(long v)
{
	@{return v + #0;@|long i;

	for (i = 0; i < 5; i++) {
		v = adv_id(v) + i * #5;
		v ^= adv_id(i);
		if (v & 1)
			v += adv_id(#6) * adv_id(v);
		else
			v -= adv_id(#7) * adv_id(i);
	}
	return v;@}
}
static noinline long $a(long v) { return $small(v) * 2; }
static noinline long $b(long v) { return $small(v + 1) * 3; }
static noinline long $c(long v) { return $small(v + 2) * 5; }
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld %ld", $a(arg), $b(arg), $c(arg));
}
`},
	{name: "inline-shrinks", where: anywhere, probe: "0 3; 1 4", text: `
static long $large(long v)
{
	@{long i;

	for (i = 0; i < 5; i++) {
		v = adv_id(v) + i * #0;
		v ^= adv_id(i);
		if (v & 1)
			v += adv_id(#1) * adv_id(v);
		else
			v -= adv_id(#2) * adv_id(i);
	}
	return v;@|return v + #5;@|return adv_id(v);@}
}
static noinline long $a(long v) { return $large(v) * 2; }
static noinline long $b(long v) { return $large(v + 1) * 3; }
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld", $a(arg), $b(arg));
}
`},
	{name: "inline-in-two", where: anywhere, probe: "0 3; 1 4", text: `
static __always_inline long $step(long v)
{
	return v * @{#0@|#5@} + #1;
}
static noinline long $one(long v) { return $step(v) + #2; }
static noinline long $two(long v) { return $step($step(v)) + #3; }
static void $call(unsigned int op, long arg)
{
	if (op)
		adv_out("one %ld", $one(arg));
	else
		adv_out("two %ld", $two(arg));
}
`},
	{name: "static-in-inline", where: anywhere, setup: "0 3; 1 4", probe: "2; 3", text: `
static @[__always_inline@|inline@] long $count(long add)
{
	static long n;

	n += add;
	return n;
}
static noinline long $one(long v) { return $count(v)@{@| + #5@}; }
static noinline long $two(long v) { return $count(v) * 2@{@|@| + #6@}; }
static void $call(unsigned int op, long arg)
{
	switch (op) {
	case 0: $one(arg); break;
	case 1: $two(arg); break;
	case 2: adv_out("one %ld", $one(0)); break;
	case 3: adv_out("two %ld", $two(0) + @{#0@|#7@}); break;
	}
}
`},
	{name: "header-inline", where: anywhere, probe: "0 3; 1 4; 2 5", header: `
static @[inline@|__always_inline@] long $shared(long v)
{
	return v * @{#0@|#5@} + #1;
}
long $there(long v);
`, other: `
long $there(long v)
{
	return $shared(v) - #2;
}
ADV_EXPORT($there);
`, text: `
static void $call(unsigned int op, long arg)
{
	if (op < 2)
		adv_out("here %ld", $shared(arg));
	else
		adv_out("there %ld", $there(arg));
}
`},
	{name: "header-macro", where: anywhere, probe: "0 3; 1 4", header: `
#define $FACTOR @{#0@|#5@}
#define $LIMIT #1
enum $mode { $OFF, $ON@{@|@|, $BOTH@} };
long $there(long v);
`, other: `
long $there(long v)
{
	return v @[* $FACTOR@|+ $LIMIT@];
}
ADV_EXPORT($there);
`, text: `
static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld %d", arg * $FACTOR, $there(arg), $ON);
}
`},
	{name: "outlined", where: anywhere, probe: "0 3; 1 40", text: `
@k{@|static noinline long $part(long v)
{
	return adv_id(v) * #5;
}
@|static @[@|__cold @]long $part(long v, long w)
{
	return adv_id(v) * #5 + w;
}
@}static void $call(unsigned int op, long arg)
{
	long v = arg;

	if (v > 10)
		v = @k{adv_id(v) * #0@|$part(v)@|$part(v, #6)@};
	adv_out("v %ld", v + #1);
}
`},
	{name: "tail-call", where: anywhere, probe: "0 3; 1 4", text: `
static noinline long $last(long v)
{
	return adv_id(v) + @{#0@|#5@};
}
static noinline long $middle(long v)
{
	return $last(v * #1@{@|@| + #6@});
}
static noinline @[long@|__attribute__((optimize("no-reorder-blocks"))) long@] $first(long v)
{
	adv_id(v);
	return $middle(v + #2);
}
static void $call(unsigned int op, long arg)
{
	adv_out("first %ld", $first(arg));
}
`},
	{name: "new-tail-call", where: anywhere, probe: "0 3; 1 4", text: `
@{@|static noinline long $new(long v)
{
	return adv_id(v) * #5;
}
@}static noinline long $f(long v)
{
	adv_id(#0);
	return @{adv_id(v) * #1@|$new(v)@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
	{name: "recursion", where: anywhere, probe: "0 5; 1 9", text: `
@{@|static long $b(long v);
@}static noinline long $a(long v)
{
	return v <= 1 ? @{#0@|#5@} : v * $a(v - 1) % 1000003;
}
static void $call(unsigned int op, long arg)
{
	adv_out("a %ld", $a(arg)@{@| + $b(arg)@});
}
@{@|static long $b(long v) { return v <= 0 ? #6 : $a(v - 1) + $b(v - 2); }
@}`},
}
