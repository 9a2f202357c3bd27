package finding_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/finding"
	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// kernelDecls are functions of the kernel that keep what they are given, or do not.
const kernelDecls = `
extern char *kasprintf(unsigned, const char *, ...); extern int _printk(const char *, ...), snprintf(char *, unsigned long, const char *, ...);
extern int request_region(unsigned long, unsigned long, const char *);
struct head { void *next; void (*func)(struct head *); }; extern void call_rcu(struct head *, void (*)(struct head *));
struct spec { const char *name; int n; }; extern int use_spec(const struct spec *);
extern void *memcpy(void *, const void *, unsigned long); extern char *strchr(const char *, int);
extern void sort(void *, unsigned long, unsigned long, int (*)(const void *, const void *), void *);
extern void __mutex_init(void *, const char *, void *), __local_bh_enable_ip(unsigned long, unsigned); extern void *somewhere;
`

// holds compares two texts and gives what the extract of the second may leave in use: a text or a name, how, and where.
func holds(t *testing.T, pre, post string, c finding.Update) []string {
	t.Helper()
	r, err := diff.Compare("unit.c", objtest.Text(t, decls+kernelDecls+pre), objtest.Text(t, decls+kernelDecls+post), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := r.Extract(diff.Names{Prefix: "u0"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Leads == nil {
		c.Leads = func(name string) finding.Callee {
			return finding.Callee{Object: "vmlinux", Name: name}
		}
	}
	if c.Defines == nil {
		c.Defines = func(string) bool { return false }
	}
	held, err := c.Holds(x)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, h := range held {
		name := h.Item.Name
		if h.Item.Kind == unit.Literal {
			text, _, _ := bytes.Cut(h.Item.Bytes(), []byte{0})
			name = strconv.Quote(string(text))
		}
		out = append(out, fmt.Sprintf("%s %s in %s", name, h.How, h.In))
	}
	slices.Sort(out)
	return out
}

// TestHolds tells what the kernel may hold of an update when nothing calls it any more. All changes are of f.
func TestHolds(t *testing.T) {
	const last = " as the last thing, so that nothing of the update is on the stack meanwhile in f"
	for _, c := range []struct {
		name, pre, post string
		want            []string
	}{
		{"nothing", `int f(int n) { return n; }`, `int f(int n) { return n + 1; }`, nil},
		{"literal-handed-out", `int f(int n) { return request_region(n, 8, "serial") ? 0 : -16; }`, `int f(int n) { if (!n) return -22; return request_region(n, 8, "serial") ? 0 : -16; }`,
			[]string{`"serial" is passed to request_region in f`}},
		{"a text that is printed", `int f(int n) { return n; }`, `int f(int n) { _printk("n is %d, %s\n", n, "or so"); return n; }`, nil},
		{"printed with more arguments than registers", `int f(int n) { return n; }`, `int f(int n) { _printk("%d %d %d %d %d %d %s %s\n", n, n, n, n, n, n, "seven", "eight"); return source(n); }`, nil},
		{"formatted", `int f(char *b) { return 0; }`, `int f(char *b) { snprintf(b, 8, "%s", "text"); return 1; }`, nil},
		{"a text at the tail", `char *f(int n) { return 0; }`, `char *f(int n) { return kasprintf(n, "tail\n"); }`, []string{`"tail\n" is passed to kasprintf` + last}},
		{"a text at the tail, for a function that does not sleep", `int f(int n) { return n; }`, `int f(int n) { return _printk("tail\n"); }`, nil},
		{"a text given away at the tail", `int f(int n) { return n; }`, `int f(int n) { return request_region(n, 1, "tail"); }`, []string{`"tail" is passed to request_region in f`}},
		{"a new callback", `void f(struct head *h) { x = 0; }`, `static void cb(struct head *h) { x = 1; } void f(struct head *h) { call_rcu(h, cb); x = 0; }`, []string{`cb is passed to call_rcu in f`}},
		{"a callback that is stored", `void f(struct head *h) { x = 0; }`, `static void cb(struct head *h) { x = 1; } void f(struct head *h) { h->func = cb; x = 0; }`, []string{`cb is stored in f`}},
		{"a callback that is there", `static void cb(struct head *h) { x = 1; } void g(struct head *h) { call_rcu(h, cb); } void f(struct head *h) { x = 0; }`,
			`static void cb(struct head *h) { x = 1; } void g(struct head *h) { call_rcu(h, cb); } void f(struct head *h) { call_rcu(h, cb); x = 0; }`, nil},
		{"a new function that is called", `void f(int n) { x = n; }`, `static noinline void g(int n) { x = n * 2; sink(0); } void f(int n) { g(n); x = n; }`, nil},
		{"in a structure on the stack", `int f(int n) { return n; }`, `int f(int n) { struct spec s = { "name", n }; return use_spec(&s) + 1; }`, []string{`"name" is on the stack in a call of use_spec in f`}},
		{"in a structure of the update", `int f(int n) { return n; }`, `static const struct spec s = { "name", 4 }; int f(int n) { return use_spec(&s) + 1; }`, []string{`s is passed to use_spec in f`}},
		{"out of a table", `const char *f(int n) { return 0; }`, `static const char *const names[] = { "a", "b", "c" }; const char *f(int n) { sink(0); return names[n]; }`,
			[]string{`"a" is returned in f`, `"b" is returned in f`, `"c" is returned in f`}},
		{"out of a table behind another", `void f(int n) { x = n; }`, `static const char *const names[] = { "a", "b" }; static const struct all { const char *const *names; const struct all *self; } all = { names, &all };
			void f(int n) { const struct all *p = &all; asm("" : "+r" (p)); somewhere = (void *)p->self->names[n]; }`, []string{ // members are not told apart
			`"a" is stored in f`, `"b" is stored in f`, `all is stored in f`, `names is stored in f`}},
		{"out of a table, to print", `void f(int n) { }`, `static const char *const names[] = { "a", "b", "c" }; void f(int n) { _printk("%s", names[n]); x = n; }`, nil},
		{"one of two", `void f(int n) { }`, `void f(int n) { request_region(n, 1, n > 4 ? "large" : "small"); x = n; }`,
			[]string{`"large" is passed to request_region in f`, `"small" is passed to request_region in f`}},
		{"one of two to print", `void f(int n) { }`, `void f(int n) { _printk(n > 4 ? "large" : "small"); x = n; }`, nil},
		{"one by a conditional move", `void f(int n) { }`, `void f(int n) { const char *p = "small"; asm("test %1,%1; cmovg %2,%0" : "+r" (p) : "r" (n), "r" ("large")); request_region(n, 1, p); x = n; }`,
			[]string{`"large" is passed to request_region in f`, `"small" is passed to request_region in f`}},
		{"spilled", `void f(int n) { }`, `void f(int n) { const char *volatile p = "spilled"; source(n); request_region(n, 1, p); x = n; }`, []string{`"spilled" is on the stack in a call of source in f`}},
		{"spilled, and printed", `void f(int n) { }`, `void f(int n) { const char *volatile p = "spilled"; _printk(p); x = n; }`, nil},
		{"spilled, printed and stored", `void f(int n) { }`, `void f(int n) { const char *volatile p = "spilled"; _printk(p); somewhere = (void *)p; x = n; }`, []string{`"spilled" is stored in f`}},
		{"kept in a register over calls", `void f(int n) { }`, `void f(int n) { const char *p = "kept"; asm("" : "+r" (p)); source(n); _printk(p); source(n); request_region(n, 1, p); x = n; }`,
			[]string{`"kept" is passed to request_region in f`}},
		{"in the unlikely part", `void cold oops(const char *); int f(int n) { return n; }`, `void cold oops(const char *); int f(int n) { if (unlikely(n)) { oops("cold"); return 1; } return n; }`,
			[]string{`"cold" is passed to oops in f.cold`}},
		{"printed in the unlikely part", `void cold oops(const char *); int f(int n) { return n; }`,
			`void cold oops(const char *); int f(int n) { if (unlikely(n)) { _printk("cold"); oops(0); return 1; } return n; }`, nil},
		{"passed on by a new function", `void f(int n) { x = n; }`, `static noinline noclone void g(int n, const char *s) { request_region(n, 1, s); x = n; } void f(int n) { g(n, "on"); x = n; }`,
			[]string{`"on" is passed to request_region in g`}},
		{"printed by a new function", `void f(int n) { x = n; }`, `static noinline noclone void g(int n, const char *s) { _printk(s, n); x = n; } void f(int n) { g(n, "on"); x = n; }`, nil},
		{"returned by a new function", `void f(int n) { x = n; }`, `static noinline noclone const char *g(int n) { return n ? "one" : source(n) ? "two" : 0; } void f(int n) { _printk(g(n)); somewhere = (void *)g(n); }`,
			[]string{`"one" is stored in f`, `"two" is stored in f`}},
		{"a place in a text", `void f(int n) { x = n; }`, `void f(int n) { char *p = strchr("a:b", n); source(n); somewhere = p; }`, []string{`"a:b" is stored in f`}},
		{"copied with addresses in it", `void f(void *p) { }`, `static const struct spec s = { "name", 4 }; void f(void *p) { memcpy(p, &s, source(1)); x = 1; }`, []string{`s points to others and is passed to memcpy in f`}},
		{"copied without", `void f(void *p) { }`, `static const int s[] = { 4, 5, 6 }; void f(void *p) { memcpy(p, s, source(1)); x = 1; }`, nil},
		{"copied by the compiler", `void f(struct spec *p) { }`, `static const struct spec s = { "name", 4 }; void f(struct spec *p) { *p = s; x = 1; }`, []string{`"name" is stored in f`}},
		{"copied from the stack", `void f(void *p) { }`, `void f(void *p) { struct spec s = { "name", 4 }; asm volatile("" : "+m" (s)); memcpy(p, &s, 1 + x); x = 1; }`, []string{`"name" is on the stack in a call of memcpy in f`}},
		{"a function for a call only", `void f(int *p) { }`, `static int cmp(const void *a, const void *b) { return *(int *)a - *(int *)b; } void f(int *p) { sort(p, 4, 4, cmp, 0); x = 1; }`, nil},
		{"a function for a call at the tail", `void f(int *p) { }`, `static int cmp(const void *a, const void *b) { return *(int *)a - *(int *)b; } void f(int *p) { sort(p, 4, 4, cmp, 0); }`,
			[]string{`cmp is passed to sort` + last}},
		{"the key of a lock", `void f(void *p) { }`, `void f(void *p) { static struct { } __key; __mutex_init(p, "lock", &__key); x = 1; }`, nil},
		{"its own lock", `void f(int n) { }`, `static int lock[8]; void f(int n) { mutex_lock((void *)lock); x = n; mutex_unlock((void *)lock); x = n + 1; }`, nil},
		{"a variable in place", `int f(int n) { return n; }`, `static int state[4]; int f(int n) { state[1]++; return state[n]; }`, nil},
		{"the address of a variable", `void f(int n) { }`, `static int list[4]; void f(int n) { sink(list); x = n; }`, []string{`list is passed to sink in f`}},
		{"a variable that holds a function", `void f(int n) { }`, `static int (*hook)(int); static int g(int n) { return n; } int f(int n) { if (!n) hook = g; return hook(n); }`, []string{`g is stored in f`}},
		{"its own code's address, as a number", `void f(int n) { }`, `void f(int n) { here: asm volatile("" : "+r" (n)); x = n; __local_bh_enable_ip((unsigned long)&&here, 1); }`, nil},
		{"its own code's address", `void f(int n) { }`, `void f(int n) { here: asm volatile("" : "+r" (n)); x = n; sink(&&here); }`, []string{`f is passed to sink in f`}},
		{"through an address", `void f(void (*p)(const char *)) { }`, `void f(void (*p)(const char *)) { p("indirect"); x = 1; }`, []string{`"indirect" is passed to a function by its address in f`}},
		{"an instruction that is not known", `void f(int n) { }`, `void f(int n) { asm volatile("vmovq %0, %%xmm0" :: "r" ("vector")); x = n; }`, []string{`"vector" is there at an instruction that is not known in f`}},
		{"put into code's memory by assembly", `void f(int n) { }`, `void f(int n) { asm volatile("movq %0, somewhere(%%rip)" :: "i" ("asm") : "memory"); x = n; }`, []string{`"asm" is stored in f`}},
		{"behind a jump to another function that may not be taken", `void f(int n) { }`, `void f(int n) { const char *p = "kept"; asm volatile("test %1,%1; jne source" : "+a" (p) : "D" (n)); request_region(n, 1, p); x = n; }`,
			[]string{`"kept" is passed to request_region in f`}},
		{"exchanged", `void f(int n) { }`, `void f(int n) { const char *p = "new"; asm volatile("lock cmpxchg16b somewhere(%%rip)" :: "b" (p), "c" (0), "a" (0), "d" (0) : "memory"); x = n; }`,
			[]string{`"new" is used in an instruction that is not known: CMPXCHG16B in f`}},
		{"behind the fixup of a fault", `void f(int n) { }`, `void f(int n) { const char *p = "fault"; asm volatile("1: movl (%1),%%eax\n jmp 3f\n 2: mov %0,somewhere(%%rip)\n 3:\n .pushsection __ex_table,\"a\"\n .long 1b-.,2b-.,3\n.popsection" :: "c" (p), "D" (0L + n) : "eax", "memory"); x = n; }`,
			[]string{`"fault" is stored in f`}},
		{"compared", `int f(void *p) { return 0; }`, `static int mine[2]; int f(void *p) { return p == mine ? source(1) : 3; }`, nil},
		{"after a static branch", `extern struct static_key key; void f(int n) { }`, `extern struct static_key key; void f(int n) { const char *p = "off"; if (static_branch(&key)) p = "on"; asm("" : "+r" (p)); request_region(n, 1, p); x = n; }`,
			[]string{`"off" is passed to request_region in f`, `"on" is passed to request_region in f`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := holds(t, c.pre, c.post, finding.Update{}); !slices.Equal(got, c.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestHoldsLockdep: with lockdep the kernel keeps the names and keys of locks.
func TestHoldsLockdep(t *testing.T) {
	const post = `void f(void *p) { static struct { int n; } __key; __mutex_init(p, "lock", &__key); x = 1; }`
	for lockdep, want := range map[bool][]string{false: nil, true: {`"lock" is passed to __mutex_init in f`, `__key.0 is passed to __mutex_init in f`}} {
		if got := holds(t, `void f(void *p) { }`, post, finding.Update{Lockdep: lockdep}); !slices.Equal(got, want) {
			t.Errorf("lockdep %t: got %q, want %q", lockdep, got, want)
		}
	}
}

// TestHoldsOfOthers: what another unit of the update defines is of the update too.
func TestHoldsOfOthers(t *testing.T) {
	const post = `extern int theirs[]; int their(void); void f(int n) { sink(theirs); x = their(); }`
	c := finding.Update{Defines: func(name string) bool { return strings.HasPrefix(name, "their") }}
	if got, want := holds(t, `void f(int n) { }`, post, c), []string{"theirs is passed to sink in f"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := holds(t, `void f(int n) { }`, post, finding.Update{}); got != nil {
		t.Errorf("got %q for what the kernel has", got)
	}
}

// TestHoldsByModules: what is known of a function is known of that of one module, or of vmlinux.
func TestHoldsByModules(t *testing.T) {
	const post = `extern void xfs_printk_level(const char *, const void *, const char *, ...); void f(int n) { xfs_printk_level("5", 0, "text"); x = n; }`
	held := []string{`"5" is passed to xfs_printk_level in f`, `"text" is passed to xfs_printk_level in f`}
	for object, want := range map[string][]string{"vmlinux": nil, "xfs": nil, "other": held} {
		c := finding.Update{Leads: func(name string) finding.Callee { return finding.Callee{Object: object, Name: name} }}
		if got := holds(t, `void f(int n) { }`, post, c); !slices.Equal(got, want) {
			t.Errorf("of %s: got %q, want %q", object, got, want)
		}
	}
	c := finding.Update{Leads: func(string) finding.Callee { return finding.Callee{} }}
	if got := holds(t, `void f(int n) { }`, post, c); !slices.Equal(got, held) {
		t.Errorf("not known where it leads: got %q, want %q", got, held)
	}
}
