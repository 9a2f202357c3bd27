package main

// Shapes of code: computed goto, long switches, loops, wide arithmetic, builtins.
var codeKinds = []kind{
	{name: "constant-in-code", where: anywhere, probe: "0 3; 1 400", text: `
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", arg @{+@|-@|*@|^@} @{#0@|#5@});
}
`},
	{name: "new-helper", where: anywhere, probe: "0 3; 1 4", text: `
@{@|static @[@|noinline @|__always_inline @]long $helper(long v)
{
	return adv_id(v) * #5 + #6;
}
@}static void $call(unsigned int op, long arg)
{
	adv_out("%ld", @{arg + #0@|$helper(arg)@|$helper($helper(arg))@});
}
`},
	{name: "check-added", where: anywhere, probe: "0 3; 0 99999; 1 4", text: `
static noinline int $copy(char *to, const char *from, size_t n)
{
	@{@|if (n > #5)
		return -EINVAL;
	@|if (WARN_ON_ONCE(!to) || n > #5)
		return -E2BIG;
	@}memcpy(to, from, min_t(size_t, n, 32));
	return 0;
}
static void $call(unsigned int op, long arg)
{
	char buf[32] = "";

	adv_out("%d %s", $copy(buf, "0123456789012345678901234567890", arg), op ? buf : "");
}
`},
	{name: "computed-goto", where: anywhere, probe: "0 1; 0 2; 0 3", text: `
static noinline long $run(long code)
{
	static @[const @|@]void *@[const @|@]labels[] = { &&stop, &&add, &&mul@{@|, &&sub@} };
	long v = #0;

next:
	if (code >= ARRAY_SIZE(labels))
		return -1;
	goto *labels[code];
add:
	v += @{#1@|#5@};
	code--;
	goto next;
mul:
	v *= #2;
	code--;
	goto next;
@{@|sub:
	v -= #6;
	code--;
	goto next;
@}stop:
	return v;
}
static void $call(unsigned int op, long arg)
{
	adv_out("ran %ld", $run(arg));
}
`},
	{name: "long-switch", where: anywhere, probe: "0 0; 0 3; 0 5; 0 8; 0 11", text: `
static noinline long $f(long v)
{
	switch (v) {
	case 0: return adv_id(#0);
	case 1: return adv_id(#1) + 1;
	case 2: return adv_id(#2) - v;
	case 3: @{return adv_id(#3) * 3;@|adv_id(#5);
		fallthrough;@|return #5;@}
	case 4: return adv_id(#4) ^ v;
	case 5: return v * 7;
	case 7: return adv_id(v) / 3;
	case 8: return @{adv_id(8)@|adv_id(#6)@} + #0;
	@{@|case 11: return adv_id(#7);
	@|@}}
	return -1;
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
	{name: "wide-arithmetic", where: anywhere, probe: "0 3; 1 400", text: `
static noinline u64 $f(u64 v)
{
	u64 q = div64_u64(v * 1000003, @{#0@|#5@});
	u32 rem;

	q += div_u64_rem(v, #1, &rem);
	q ^= mul_u64_u32_shr(v, @{#2@|#6@}, 3);
	return q + rem + hweight64(v) + __builtin_clzll(v | 1) + swab32(v);
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %llu", $f(arg));
}
`},
	{name: "loops", where: anywhere, probe: "0 3; 1 40", text: `
static noinline long $f(long n)
{
	long i, j, s = 0;

	for (i = 0; i < n; i++) {
		for (j = i; j > 0; j -= @{2@|3@})
			s += i ^ j;
		if (s > @{#0@|#5@})
			@{break@|continue@|s -= #1@};
		s *= 3;
	}
	return s;
}
static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
	{name: "split", where: anywhere, probe: "0 3; 1 40", text: `
@{static noinline long $f(long v)
{
	long a = adv_id(v) * #0;

	a ^= adv_id(a + #1);
	return a + v;
}
@|static noinline long $f2(long a)
{
	return a ^ adv_id(a + #5);
}
static noinline long $f(long v)
{
	return $f2(adv_id(v) * #0) + v;
}
@|static @[noinline @|@]long $f1(long v) { return adv_id(v) * #6; }
static @[noinline @|@]long $f2(long a) { return a ^ adv_id(a + #1); }
static noinline long $f(long v) { return $f2($f1(v)) + v; }
@}static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
	{name: "merged", where: anywhere, probe: "0 3; 1 40", text: `
@{static noinline long $f1(long v) { return adv_id(v) * #0; }
static noinline long $f2(long a) { return a ^ adv_id(a + #1); }
static noinline long $f(long v) { return $f2($f1(v)) + v; }
@|static noinline long $f(long v)
{
	long a = adv_id(v) * #5;

	return (a ^ adv_id(a + #1)) + v;
}
@}static void $call(unsigned int op, long arg)
{
	adv_out("f %ld", $f(arg));
}
`},
	{name: "order-changed", where: anywhere, probe: "0 3; 1 40", text: `
@k{static noinline long $a(long v) { return adv_id(v) + #0; }
static noinline long $b(long v) { return adv_id(v) * #1; }
@|static noinline long $b(long v) { return adv_id(v) * #1; }
static noinline long $a(long v) { return adv_id(v) + #5; }
@|static noinline long $b(long v) { return adv_id(v) * #6; }
static noinline long $a(long v) { return adv_id(v) + #0; }
@}static void $call(unsigned int op, long arg)
{
	adv_out("%ld %ld", $a(arg), $b(arg));
}
`},
	{name: "only-comment", where: anywhere, probe: "0 3", text: `
/* @{Old words.@|New words, #5 of them.@} */
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", arg * #0@{@| + 0 * #6@|@});
}
`},
	{name: "strings-and-memory", where: anywhere, probe: "0 3; 1 4", text: `
static noinline int $f(char *buf, size_t n, long v)
{
	char *p = kasprintf(GFP_KERNEL, "@{%ld and %s@|%ld or %s@|<%ld> %s #5@}", v, "$f");
	int r;

	if (!p)
		return -ENOMEM;
	r = strlen(p) + @{memcmp(p, "3", 1) == 0@|strcmp(p, "4") != 0@};
	strscpy(buf, p, n);
	kfree(p);
	return r;
}
static void $call(unsigned int op, long arg)
{
	char buf[40];
	int r = $f(buf, sizeof(buf), arg);

	adv_out("%d %s", r, buf);
}
`},
	{name: "sort-callback", where: anywhere, probe: "0 3; 1 4", text: `
static int $cmp(const void *a, const void *b)
{
	return @{*(int *)a - *(int *)b@|*(int *)b - *(int *)a@|(*(int *)a % #5) - (*(int *)b % #5)@};
}
static void $call(unsigned int op, long arg)
{
	int v[] = { #0, #1, #2, #3, (int)arg };

	sort(v, ARRAY_SIZE(v), sizeof(v[0]), $cmp, NULL);
	adv_out("%d %d %d %d %d", v[0], v[1], v[2], v[3], v[4]);
}
`},
}
