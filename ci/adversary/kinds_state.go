package main

// Static variables: kept, new, renamed, resized, moved to another scope, folded.
var stateKinds = []kind{
	{name: "state-kept", where: anywhere, setup: "0 1; 0 2", probe: "1; 2", text: `
static @[int@|long@|unsigned int@|s16@] $count @[@|__read_mostly@]@[@| = #0@];
static noinline void $bump(void)
{
	$count += adv_id(#1);
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$bump();
	else if (op == 1)
		adv_out("count %ld", (long)$count @{+@|-@|*@} @{#2@|#5@});
	else
		adv_out("half %ld", (long)$count / @{2@|3@});
}
`},
	{name: "static-local", where: anywhere, setup: "0; 0; 1", probe: "2 5; 3 6", text: `
static noinline long $one(int add, long v)
{
	static @[int@|long@|u8@] n;

	n += add;
	return n * adv_id(v) + @{#0@|#5@};
}
static noinline long $two(int add, long v)
{
	static @[int@|long@|u8@] n@[@| = #3@];

	n += add;
	return n * adv_id(v) @{+@|-@|^@} #1;
}
static void $call(unsigned int op, long arg)
{
	switch (op) {
	case 0: $one(1, 1); break;
	case 1: $two(2, 1); break;
	case 2: adv_out("one %ld", $one(0, arg)); break;
	case 3: adv_out("two %ld", $two(0, arg)); break;
	}
}
`},
	{name: "static-locals-swapped", where: anywhere, setup: "0 3; 1 4", probe: "2", text: `
static @[noinline@|@] long $one(int add)
{
	@{static long a = #0;
	static long b = #1;@|static long b = #1;
	static long a = #0;@}

	a += add;
	b += add * 2;
	return a * #2 + b;
}
static @[noinline@|@] long $two(int add)
{
	static long @n[a@|n@] = #3;

	@n[a@|n@] += add;
	return @n[a@|n@];
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_id($one(arg));
	else if (op == 1)
		adv_id($two(arg));
	else
		adv_out("%ld %ld %d", $one(0), $two(0), @{#4@|#5@});
}
`},
	{name: "new-static", where: anywhere, setup: "0 1", probe: "1; 1; 1", after: "0 2; 2", text: `
static long $last;
@{@|static @[int@|long@|u64@] $calls@c[@| = #5@|[4]@];
@}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$last = arg;
	else if (op == 1) {
		@{adv_out("call");@|$calls@c[@|@|[1]@]++;
		adv_out("call %ld", (long)$calls@c[@|@|[1]@] + #6);@}
	} else
		adv_out("last %ld", $last);
}
`},
	{name: "new-static-local", where: anywhere, probe: "1; 1; 2; 1; 2", after: "-", text: `
static @[noinline@|inline@|@] long $step(long v)
{
	@{return v + #0;@|static long n = #5;

	n += v;
	return n;@|static int n;

	return v + n++ * #5;@}
}
static noinline long $other(long v)
{
	return $step(v) * 2;
}
static void $call(unsigned int op, long arg)
{
	adv_out("step %ld", op == 1 ? $step(3) : $other(4));
}
`},
	{name: "static-renamed", where: anywhere, setup: "0 7; 0 8", probe: "1", text: `
static @[int@|long@|u8@] @k{$old@|$new@|$older@};
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		@k{$old@|$new@|$older@} += arg;
	else
		adv_out("value %ld", (long)@k{$old@|$new@|$older@} * @{#0@|#5@|#0@});
}
`},
	{name: "static-renamed-and-resized", where: anywhere, setup: "0 1; 1 2; 2 3", probe: "4 0; 4 1; 4 2", text: `
static long @k{$table[4]@|$entries[8]@|$table[8]@|$table2[6]@};
static void $call(unsigned int op, long arg)
{
	if (op < 4)
		@k{$table@|$entries@|$table@|$table2@}[op] = arg;
	else
		adv_out("entry %ld", @k{$table@|$entries@|$table@|$table2@}[arg & 3] + @{#0@|#5@});
}
`},
	{name: "static-rescoped", where: anywhere, setup: "0 5", probe: "1", text: `
@k{static long $n;
@|@|static int $m;
static long $n;
@}static noinline long $step(long add)
{
	@k{@|static long $n;
@|@}
	$n += add;
	return $n;
}
static void $call(unsigned int op, long arg)
{
	adv_out("step %ld", $step(op ? 0 : arg) @{+@|*@} #0);
}
`},
	{name: "local-to-file", where: anywhere, setup: "0 5; 0 6", probe: "1", text: `
@k{@|static long $n;
@|@}static noinline long $step(long add)
{
	@k{static long $n;
	@|@|static long m;
	@}
	@k{$n@|$n@|m@} += add;
	return @k{$n@|$n@|m@};
}
static void $call(unsigned int op, long arg)
{
	adv_out("step %ld", $step(op ? 0 : arg));
}
`},
	{name: "same-name-other-scope", where: anywhere, setup: "0 5; 0 6", probe: "1 2; 1 3; 2", text: `
static long $v@[@| = #1@];
static noinline long $one(long add)
{
	$v += add;
	return $v;
}
static noinline long $two(long add)
{
	@k{@|static long $v@[@| = #5@];

	$v += add;@|static long $v[2];

	$v[add & 1] += add;@}
	return @k{add@|$v@|$v[0]@} + adv_id(#0);
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		adv_id($one(arg));
	else if (op == 1)
		adv_out("two %ld", $two(arg));
	else
		adv_out("one %ld", $one(0));
}
`},
	{name: "last-writer-removed", where: anywhere, setup: "0 #4", probe: "1; 3", after: "1", text: `
static @[int@|long@|unsigned char@|bool@] $limit = @[1@|0@];
static @[noinline@|@] void $write(long v)
{
	@{$limit = v;@|@<adv_id(v + #5);@|$limit = v;@>@|@<(void)v;@|$limit = v;@>@}
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$write(arg);
	else if (op == 1)
		adv_out("limit %ld", (long)$limit);
	else if (op == 3)
		adv_out("over %d", #3 > $limit);
}
`},
	{name: "first-writer-added", where: anywhere, probe: "1; 0 #5; 1", after: "1", text: `
static @[int@|long@|u16@] $limit = @[#0@|0@];
static noinline long $scaled(long v)
{
	return v * adv_id($limit);
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		@{adv_id(arg);@|$limit = arg;@}
	else
		adv_out("limit %ld %ld", (long)$limit, $scaled(2));
}
`},
	{name: "first-reader-added", where: anywhere, setup: "0 #1; 0 #2", probe: "1", after: "1", text: `
static @[int@|long@] $seen@[@| = #0@];
static noinline void $note(long v)
{
	$seen @[=@|+=@] v;
}
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$note(arg);
	else
		adv_out("seen %ld", @{0L@|(long)$seen@|$seen * 2L@});
}
`},
	{name: "same-static-in-two-functions", where: anywhere, setup: "0 3; 1 4", probe: "2; 3", text: `
static noinline long $a(long add)
{
	static long n;

	n += add;
	return n@{@| + #5@};
}
@{@|static noinline long $c(long add)
{
	static long n = #6;

	if (add == #7)
		n++;
	return n + add;
}
@}static noinline long $b(long add)
{
	static long n;

	n += add;
	return n@{@| + $c(add)@};
}
static void $call(unsigned int op, long arg)
{
	switch (op) {
	case 0: $a(arg); break;
	case 1: $b(arg); break;
	case 2: adv_out("a %ld", $a(0)); break;
	case 3: adv_out("b %ld", $b(0)); break;
	}
}
`},
	{name: "static-retyped", where: anywhere, setup: "0 200", probe: "1", text: `
static @k{int@|unsigned int@|long@|short@|s32@} $v;
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$v = arg;
	else
		adv_out("v %ld", (long)$v + @{#0@|#5@});
}
`},
	{name: "percpu", where: anywhere, setup: "0 3; 0 4", probe: "1; 0 2; 1", after: "-", text: `
static DEFINE_PER_CPU(@[long@|int@], $hits);
@k{@|static DEFINE_PER_CPU(long, $misses);
@|@}
static void $call(unsigned int op, long arg)
{
	long sum = 0;
	int cpu;

	if (op == 0) {
		this_cpu_add($hits, arg);
		@k{@|this_cpu_inc($misses);@|@}
	} else {
		for_each_possible_cpu(cpu)
			sum += per_cpu($hits, cpu)@{@| * 2@| + #5@};
		adv_out("sum %ld", @{sum@|sum@|sum * #6@});
	}
}
`},
	{name: "locked-list", where: anywhere, setup: "0 3; 0 4; 0 5", probe: "1; 0 6; 1", after: "2; 1", text: `
struct $entry { struct list_head l; long v; };
static @[DEFINE_MUTEX@|DEFINE_SPINLOCK@]($lock);
static LIST_HEAD($list);
static void $call(unsigned int op, long arg)
{
	struct $entry *e, *next;
	long sum = 0;

	if (op == 0) {
		e = kzalloc(sizeof(*e), GFP_KERNEL);
		if (!e)
			return;
		e->v = arg;
		list_add@[_tail@|@](&e->l, &$list);
	} else if (op == 1) {
		list_for_each_entry(e, &$list, l)
			sum = sum * @{3@|5@} + e->v;
		adv_out("sum %ld", sum);
	} else {
		list_for_each_entry_safe(e, next, &$list, l) {
			list_del(&e->l);
			kfree(e);
		}
	}
}
`},
	{name: "set-at-init", where: anywhere, init: "$setup();", probe: "0; 1", text: `
static long $at_boot @[__ro_after_init@|__read_mostly@|@];
static void __init $setup(void)
{
	$at_boot = adv_id(#0);
}
static void $call(unsigned int op, long arg)
{
	adv_out("at boot %ld", op ? $at_boot @{+@|*@} @{#1@|#5@} : $at_boot);
}
`},
}
