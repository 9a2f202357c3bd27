package main

// Constants: in code, in tables read in place, behind pointers, in strings.
var constantKinds = []kind{
	{name: "table-in-place", where: anywhere, probe: "0 0; 0 1; 0 2; 0 5", text: `
static const @[int@|long@|u8@|s16@] $table[] = { #0, #1, @{#2@|#2, #4@|@[#4@|#5 % 100@]@}, #3 };
static void $call(unsigned int op, long arg)
{
	adv_out("entry %ld of %zu", arg < ARRAY_SIZE($table) ? (long)$table[arg] : -1L, ARRAY_SIZE($table));
}
`},
	{name: "table-grows", where: anywhere, probe: "0 0; 0 3; 0 6", text: `
struct $row { int key; @[int@|long@|u8@] value; @[@|const char *name;@] };
static const struct $row $rows[] = {
	{ 0, #0 }, { 1, #1 }, { 3, @{#2@|#4@} },
	@{@|{ 6, #3 },@|{ 4, #3 }, { 6, #4 },@}
};
static @[noinline@|@] long $find(int key)
{
	int i;

	for (i = 0; i < ARRAY_SIZE($rows); i++)
		if ($rows[i].key == key)
			return $rows[i].value;
	return -ENOENT;
}
static void $call(unsigned int op, long arg)
{
	adv_out("found %ld", $find(arg));
}
`},
	{name: "table-by-pointer", where: anywhere, setup: "0 1", probe: "1; 0 1; 1", after: "0 1; 1", text: `
static const @[int@|long@] $small[] = { #0, @{#1@|#5@} };
static const @[int@|long@] $large[] = { #2, #3, #4 };
static const void *$now;
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$now = arg ? (const void *)$small : (const void *)$large;
	else
		adv_out("second %d %d", ((const int *)$now)[0], $now == $small ? (int)$small[1] : (int)$large[1]);
}
`},
	{name: "table-passed-down", where: anywhere, probe: "0 1; 0 2", text: `
static const long $table[] = { #0, #1, @{#2@|#5@} };
static noinline long $at(const long *table, long i)
{
	return table[i] + adv_id(#3);
}
static void $call(unsigned int op, long arg)
{
	adv_out("at %ld", $at($table, arg));
}
`},
	{name: "table-compared", where: anywhere, setup: "0", probe: "1; 2 1", text: `
static const long $first[] = { #0, @{#1@|#5@} };
static const long $second[] = { #0, #1 };
static const long *$chosen = NULL;
static void $call(unsigned int op, long arg)
{
	if (op == 0)
		$chosen = $first;
	else if (op == 1)
		adv_out("first %d", $chosen == $first);
	else
		adv_out("value %ld %ld", $chosen[arg], $second[arg]);
}
`},
	{name: "names", where: anywhere, probe: "0 0; 0 1; 0 2; 0 3", text: `
static const char @[*@|* const @]$names[] = { "zero", @{"one"@|"eins #5"@}, "two"@{@|, "three #6"@|@} };
static void $call(unsigned int op, long arg)
{
	adv_out("name %s", arg < ARRAY_SIZE($names) ? $names[arg] : "none");
}
`},
	{name: "string", where: anywhere, probe: "0; 1", text: `
static void $call(unsigned int op, long arg)
{
	char buf[32];

	if (op == 0) {
		adv_out("text @{old #0@|new #5@|much longer than the old one #5@} %s", "and more");
	} else {
		@[strscpy(buf, "@{short@|other #5@}", sizeof(buf));@|snprintf(buf, sizeof(buf), "@{%d@|%#x@}", #1);@|memcpy(buf, "@{0123456789@|9876543210@}", 11);@]
		adv_out("%s", buf);
	}
}
`},
	{name: "string-suffixes", where: anywhere, probe: "0", text: `
static void $call(unsigned int op, long arg)
{
	adv_out("%s %s %s", "a common suffix", "common suffix", @{"suffix"@|"other suffix"@|"x suffix #5"@});
}
`},
	{name: "char-array", where: anywhere, probe: "0", text: `
static @[const char@|char@] $text[] = "@{before@|after #5@|afters@}";
static void $call(unsigned int op, long arg)
{
	adv_out("%s %zu", $text, sizeof($text));
}
`},
	{name: "data-changed", where: anywhere, probe: "0 1; 0 2", text: `
static @[int@|long@] $weights[] = { #0, @{#1@|#5@}, #2 };
static void $call(unsigned int op, long arg)
{
	$weights[2] = adv_id(#3);
	adv_out("weight %ld", (long)$weights[arg]);
}
`},
	{name: "data-grows", where: anywhere, setup: "1 1", probe: "0 1; 0 2; 0 3", text: `
static @[int@|long@] $slots[@{3@|4@|8@}]@[@|= { #0 }@];
static void $call(unsigned int op, long arg)
{
	if (op)
		$slots[arg % 3] = #1;
	else
		adv_out("slot %ld", arg < ARRAY_SIZE($slots) ? (long)$slots[arg] : -1L);
}
`},
	{name: "switch-table", where: anywhere, probe: "0 0; 0 1; 0 2; 0 3; 0 4; 0 5; 0 6; 0 9", text: `
static @[noinline@|@] @t[int@|const char *@] $map(long v)
{
	switch (v) {
	case 0: return @t[#0@|"zero"@];
	case 1: return @t[#1@|"one"@];
	case 2: return @{@t[#2@|"two"@]@|@t[#5@|"two #5"@]@};
	case 3: return @t[#3@|"three"@];
	case 4: return @t[#4@|"four"@];
	case 5: return @t[77@|"five"@];
	@{@|case 6: return @t[#6@|"six"@];
	@|@}}
	return @t[-1@|"many"@];
}
static void $call(unsigned int op, long arg)
{
	adv_out("map @t[%d@|%s@]", $map(arg));
}
`},
	{name: "initializers", where: anywhere, probe: "0 3", text: `
struct $config { int a, b, c, d; char name[16]; long rest[8]; };
static noinline long $sum(const struct $config *c)
{
	return c->a + c->b * 2 + c->c * 3 + c->d * 5 + c->rest[7] + c->name[1];
}
static void $call(unsigned int op, long arg)
{
	struct $config c = { .a = #0, .b = @{#1@|#5@}, .c = arg, .name = "@{old@|new@|fresh@}", .rest = { [7] = #2 } };

	adv_out("sum %ld", $sum(&c));
	adv_out("sum %ld", $sum(&(struct $config){ .d = @{#3@|#6@}, .rest = { 1, 2, 3, 4, 5, 6, 7, #4 } }));
}
`},
	{name: "dispatch", where: anywhere, probe: "0 0; 0 1; 0 2", text: `
static long $a(long v) { return v + @{#0@|#5@}; }
static long $b(long v) { return v * #1; }
static long $c(long v) { return v - #2; }
static long (*@[const @|@]$handlers[])(long) = { $a, $b, @{$c@|$c@|$b@} };
static void $call(unsigned int op, long arg)
{
	adv_out("handled %ld", $handlers[arg % 3](100));
}
`},
	{name: "constants-pooled", where: anywhere, probe: "0 3; 1 3", text: `
static @[noinline@|@] u64 $mix(u64 v)
{
	v ^= v >> 33;
	v *= 0xff51afd7ed558ccdULL @{@|+ #5@};
	v ^= v >> 29;
	return v;
}
static void $call(unsigned int op, long arg)
{
	u64 parts[4] = { 0x1122334455667788ULL, @{0x99aabbccddeeff00ULL@|0x#5000ULL@}, 1, $mix(arg) };

	adv_out("mixed %llx %llx", $mix(arg), (unsigned long long)parts[adv_id(op)]);
}
`},
}
