package finding_test

import "testing"

// TestHandouts tells which addresses of an update's own things leave the code that computes them.
func TestHandouts(t *testing.T) {
	const out = "address-handed-out f: hands out the address of "
	for _, c := range []struct {
		name, pre, post string
		want            []string
	}{
		{"a new callback", `void f(int n) { x = n; }`, `static void cb(int n) { x = n + 1; } void f(int n) { sink(cb); x = n; }`, []string{out + "cb, which only the update has"}},
		{"stored in an object", `struct o { void (*cb)(int); }; void f(struct o *o) { o->cb = 0; }`, `struct o { void (*cb)(int); }; static void cb(int n) { x = n + 1; } void f(struct o *o) { o->cb = cb; }`,
			[]string{out + "cb, which only the update has"}},
		{"a new function that is called", `void f(int n) { x = n; }`, `static noinline void cb(int n) { x = n + 1; } void f(int n) { cb(n); x = n; }`, nil},
		{"a callback that exists", `static void cb(int n) { x = n + 1; } void g(void) { sink(cb); } void f(int n) { x = n; }`, `static void cb(int n) { x = n + 1; } void g(void) { sink(cb); } void f(int n) { sink(cb); x = n; }`, nil},
		{"a new variable", `void f(int n) { x = n; }`, `static int list[4]; void f(int n) { sink(list); x = n; }`, []string{out + "list, which only the update has"}},
		{"a new variable, by LEA", `void f(int n) { x = n; }`, `static int list[4]; void f(int n) { void *p; asm("leaq %c1(%%rip), %0" : "=r" (p) : "i" (list)); sink(p); }`, []string{out + "list, which only the update has"}},
		{"a new variable that is used where it is", `int f(int n) { return n; }`, `static int list[4]; int f(int n) { list[1]++; return list[n]; }`, nil},
		{"a new constant", `void f(const int **p) { *p = 0; }`, `static const int table[] = { 1, 2, 4 }; void f(const int **p) { *p = table; }`,
			[]string{out + "table, which only the update has"}},
		{"the copy of a constant that is read", `static const int table[] = { 1, 2, 3 }; int f(int n) { return table[n]; }`, `static const int table[] = { 1, 2, 4 }; int f(int n) { return table[n]; }`, nil},
		{"a string", `void f(int n) { sink("a"); }`, `void f(int n) { sink("b"); }`, nil},
		{"in the unlikely part", `void cold oops(const void *); int f(int n) { return n; }`,
			`void cold oops(const void *); static int list[4]; int f(int n) { if (unlikely(n)) { oops(list); return 1; } return n; }`, []string{out + "list, which only the update has"}},
		{"its own address", `void f(int n) { x = n; }`, `void f(int n) { sink(f); x = n; }`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(t, look(t, c.pre, c.post), c.want)
		})
	}
}

// TestExports warns of an exported function that goes, and not of one whose export alone goes.
func TestExports(t *testing.T) {
	const table = `asm(".section \"___ksymtab+f\",\"a\"\n.long f - .\n.long 0,0\n.previous\n"); asm(".section \"___ksymtab_gpl+g\",\"a\"\n.long g - .\n.long 0,0\n.previous\n");`
	check(t, look(t, `int f(int n) { return source(n); } int g(int n) { return source(n + 1); }`+table, `int f(int n) { return source(n); }`),
		[]string{"export-removed g: it is exported and no longer there; the running kernel keeps it as it is"})
}
