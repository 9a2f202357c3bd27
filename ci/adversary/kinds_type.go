package main

// Types: structs of objects that exist, enums, bit fields, unions, variable arguments, widths and signs.
var typeKinds = []kind{
	{name: "struct-grows", where: anywhere, setup: "0 3", probe: "1 4; 2 5", text: `
struct $obj { long a; @k{@|long extra;@|@}int b; @k{@|@|int extra;@} };
static noinline struct $obj *$new(long v)
{
	struct $obj *o = kzalloc(sizeof(*o), GFP_KERNEL | __GFP_NOFAIL);

	o->a = v;
	o->b = v * 2;
	return o;
}
static void $call(unsigned int op, long arg)
{
	struct $obj *o = adv_kept("$obj");

	if (op == 0)
		adv_keep("$obj", $new(arg));
	else
		adv_out("%ld %d %ld", o->a, o->b, @k{arg@|(o->extra = arg)@|(long)(o->extra = arg)@});
}
`},
	{name: "local-struct-grows", where: anywhere, probe: "0 3; 1 4", text: `
struct $tmp { long a; @{@|long extra[3];@|char pad;@} int b; };
static noinline long $use(struct $tmp *t)
{
	return t->a * 3 + t->b;
}
static void $call(unsigned int op, long arg)
{
	struct $tmp t = { .a = arg, .b = @{#0@|#5@} };

	adv_out("%ld", $use(&t));
}
`},
	{name: "static-struct-reordered", where: anywhere, setup: "0 3", probe: "1", text: `
struct $s { @k{int a; int b;@|int b; int a;@|long a; int b;@} };
static struct $s $s;
static void $call(unsigned int op, long arg)
{
	if (op == 0) {
		$s.a = arg;
		$s.b = arg * 2;
	} else
		adv_out("%ld %d", (long)$s.a, $s.b + @{#0@|#5@});
}
`},
	{name: "bit-fields", where: anywhere, setup: "0 3", probe: "1 5; 2", after: "0 3; 2", text: `
struct $flags { unsigned int a : 3, b : @k{5@|5@|6@}, c : 1, d : 7; };
static struct $flags $flags;
static void $call(unsigned int op, long arg)
{
	if (op == 0) {
		$flags.a = arg;
		$flags.c = arg & 1;
		$flags.d = arg * 5;
		$flags.b = 1;
	} else if (op == 1)
		$flags.b = @k{#0@|31@|#5@} & arg;
	else
		adv_out("%u %u %u %u", $flags.a, $flags.b, $flags.c, $flags.d);
}
`},
	{name: "enum", where: anywhere, setup: "0 2", probe: "1; 2 1", text: `
enum $state { $IDLE, @k{@|@|$STARTING, @}$RUNNING, $DONE@k{@|, $FAILED@|@} };
static enum $state $state;
static noinline const char *$name(enum $state s)
{
	switch (s) {
	case $IDLE: return "idle";
	case $RUNNING: return "@k{running@|going #5@|running@}";
	case $DONE: return "done";
	@k{@|case $FAILED: return "failed";
	@|@}default: return "?";
	}
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$state = $DONE;
	else
		adv_out("%s", $name(op == 1 ? $state : arg));
}
`},
	{name: "varargs", where: anywhere, probe: "0 3; 1 4", text: `
static noinline __printf(2, 3) void $say(int level, const char *fmt, ...)
{
	char buf[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	adv_out("%d %s", level + @{#0@|#5@}, buf);
}
static void $call(unsigned int op, long arg)
{
	$say(1, "one %ld", arg);
	$say(2, "two %d %s", @{#1@|#6@}, "$say");
}
`},
	{name: "signs-and-widths", where: anywhere, probe: "0 3; 0 -3; 0 70000", text: `
static noinline @{int@|unsigned int@|long@|short@|u8@} $f(@[long@|int@|short@] v)
{
	return v @{/@|>>@|%@} 2;
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", (long)$f(arg));
}
`},
	{name: "union", where: anywhere, setup: "0 3", probe: "1", text: `
union $u { long l; int i[2]; char c[8]; @{@|u16 s[4];@|char big[16];@} };
static union $u $u;
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$u.l = arg * 0x10001;
	else
		adv_out("%d %d", $u.i[0], $u.c[@{1@|2@}]);
}
`},
	{name: "large-stack", where: anywhere, probe: "0 3; 1 4", text: `
static noinline long $f(long v)
{
	char buf[@{200@|600@|1200@}];
	int i;

	memset(buf, v, sizeof(buf));
	for (i = 0; i < sizeof(buf); i += 37)
		v += buf[i] * @{1@|3@};
	return adv_id(v) + buf[adv_id(7)];
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", $f(arg));
}
`},
	{name: "struct-by-value", where: anywhere, probe: "0 3; 1 4", text: `
struct $three { long a, b, c; };
static noinline struct $three $make(long v)
{
	struct $three t = { v, v @{+@|*@} #0, @{#1@|#5@} };

	adv_id(v);
	return t;
}
static noinline long $sum(struct $three t)
{
	return t.a + t.b * 3 + t.c * 5;
}
static void $call(unsigned int op, long arg)
{
	adv_out("%ld", $sum($make(arg)));
}
`},
	{name: "self-referential", where: anywhere, setup: "0 3", probe: "1", text: `
struct @k{$node@|$knot@} { struct @k{$node@|$knot@} *next; long v; struct { struct @k{$node@|$knot@} *up; } in; };
static struct @k{$node@|$knot@} $root;
static void $call(unsigned int op, long arg)
{
	if (op == 0) {
		$root.next = &$root;
		$root.in.up = &$root;
		$root.v = arg;
	} else
		adv_out("%ld %d", $root.next->in.up->v + @{#0@|#5@}, $root.next == &$root);
}
`},
	{name: "flexible-array", where: anywhere, setup: "0 3", probe: "1 2; 1 0", text: `
struct $vec { int n; @{@|@|int pad;@} long v[]; };
static void $call(unsigned int op, long arg)
{
	struct $vec *vec = adv_kept("$vec");
	int i;

	if (op == 0) {
		vec = kzalloc(struct_size(vec, v, 4), GFP_KERNEL | __GFP_NOFAIL);
		vec->n = 4;
		for (i = 0; i < 4; i++)
			vec->v[i] = i * arg;
		adv_keep("$vec", vec);
	} else
		adv_out("%d %ld", vec->n, vec->v[arg] + @{#0@|#5@});
}
`},
}
