package layout

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCompareCircles has structs that lead to themselves and each other, and of which the names change. Each must be told
// from a struct that really differs, and within seconds.
func TestCompareCircles(t *testing.T) {
	const use = " int f(int n) { return ((char *)&v)[n]; }"
	const changes = "the type changes from struct a * to struct b *"
	for _, c := range []struct{ name, pre, post, want string }{
		{"of itself", "struct a { struct a *next; int x; };", "struct b { struct b *next; int x; };", ""},
		{"of itself, with another number behind", "struct a { struct a *next; int x; };", "struct b { struct b *next; long x; };", changes},
		{"of each other", "struct z; struct a { struct z *z; int x; }; struct z { struct a *a; int y; };",
			"struct y; struct b { struct y *z; int x; }; struct y { struct b *a; int y; };", ""},
		{"of each other, one of which differs", "struct z; struct a { struct z *z; int x; }; struct z { struct a *a; int y; };",
			"struct y; struct b { struct y *z; int x; }; struct y { struct b *a; char *y; };", changes},
		{"three, unrolled", "struct a { struct a *next; int x; };",
			"struct b { struct b2 { struct b3 { struct b *next; int x; } *next; int x; } *next; int x; };", ""},
		{"three, unrolled, the last of which differs", "struct a { struct a *next; int x; };",
			"struct b { struct b2 { struct b3 { struct b *next; float x; } *next; int x; } *next; int x; };", changes},
		{"a function that takes it", "struct a { void (*f)(struct a *); };", "struct b { void (*f)(struct b *); };", ""},
		{"a function that takes another", "struct a { void (*f)(struct a *, int); };", "struct b { void (*f)(struct b *, char *); };", changes},
		// A pair that counts as compatible only while an outer one is open, which then turns out to differ, and is asked again.
		{"assumed and taken back", "struct q { struct a *up; }; struct a { union { struct q *q; }; struct q *r; int x; };",
			"struct p { struct b *up; }; struct b { union { struct p *q; }; struct p *r; long x; };", changes},
		{"deep pointers", "struct a { int *****************p; };", "struct b { int *****************p; };", ""},
		{"deep pointers to other numbers", "struct a { int *****************p; };", "struct b { long *****************p; };", changes},
		{"many typedefs", typedefs("int", 200) + "struct a { t200 x; };", typedefs("int", 300) + "struct b { t300 x; };", ""},
		{"many typedefs of something else", typedefs("int", 200) + "struct a { t200 x; };", typedefs("char *", 200) + "struct b { t200 x; };", changes},
	} {
		t.Run(c.name, func(t *testing.T) {
			pre, post := read(t, c.pre+" static struct a *v;"+use, "-g"), read(t, c.post+" static struct b *v;"+use, "-g")
			start := time.Now()
			ch, ok := CompareVariable(pre, post, "v")
			if got := ch.String(); ok != (c.want != "") || ok && got != c.want {
				t.Errorf("got %v %q, want %q", ok, got, c.want)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

// typedefs declares t1 to tN, each of the one before.
func typedefs(of string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "typedef %s t0;\n", of)
	for i := range n {
		fmt.Fprintf(&b, "typedef t%d t%d;\n", i, i+1)
	}
	return b.String()
}

// TestCompareLarge has types that take long unless what was compared is remembered.
func TestCompareLarge(t *testing.T) {
	// Each struct holds two pointers to the next one, under another name: 2^n ways lead to the last.
	twofold := func(prefix, last string, n int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "struct %s0 { %s x; };\n", prefix, last)
		for i := range n {
			fmt.Fprintf(&b, "struct %s%d { struct %s%d *l, *r; };\n", prefix, i+1, prefix, i)
		}
		return fmt.Sprintf("%s static struct %s%d *v; int f(int n) { return ((char *)&v)[n]; }", b.String(), prefix, n)
	}
	// Functions that take functions, two each.
	functions := func(last string, n int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "typedef void (*f0)(%s);\n", last)
		for i := range n {
			fmt.Fprintf(&b, "typedef void (*f%d)(f%d, f%d);\n", i+1, i, i)
		}
		return fmt.Sprintf("%s static f%d v; int f(int n) { return ((char *)&v)[n]; }", b.String(), n)
	}
	union := func(prefix string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "int %s%d;", prefix, i)
		}
		return fmt.Sprintf("union u { %s } v; int f(int n) { return ((char *)&v)[n]; }", b.String())
	}
	// Structs without names, one in another by pointers, two each: each way has a name of its own.
	unnamed := func(n int) string {
		text := "struct { int x; }"
		for range n {
			text = fmt.Sprintf("struct { %s *l, *r; }", text)
		}
		return fmt.Sprintf("%s v; int f(int n) { return ((char *)&v)[n]; }", text)
	}
	stars := "static int " + strings.Repeat("*", 10000)
	for _, c := range []struct {
		name, pre, post string
		same            bool
	}{
		{"twofold", twofold("a", "int", 60), twofold("b", "int", 60), true},
		{"twofold, the last one differs", twofold("a", "int", 60), twofold("b", "char *", 60), false},
		{"a long list", twofold("a", "int", 5000), twofold("b", "int", 5000), true},
		{"functions", functions("int", 50), functions("unsigned", 50), true},
		{"functions, the last one differs", functions("int", 50), functions("char *", 50), false},
		{"pointers", stars + " v; int f(int n) { return ((char *)&v)[n]; }", stars + " v; int f(int n) { return ((char *)&v)[n]; }", true},
		{"renamed members of a union", union("a", 20000), union("b", 20000), true},
		{"structs without names", unnamed(12), unnamed(12), true},
		{"typedefs", typedefs("int", 10000) + "static t10000 v; int f(int n) { return ((char *)&v)[n]; }", "static int v; int f(int n) { return ((char *)&v)[n]; }", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			pre, post := compile(t, c.pre, "-O2", "-w", "-g"), compile(t, c.post, "-O2", "-w", "-g")
			start := time.Now()
			a, err := Read(pre)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Read(post)
			if err != nil {
				t.Fatal(err)
			}
			changes := compare(t, a, b)
			ch, differs := CompareVariable(a, b, "v")
			if c.same != (!differs && len(changes) == 0) {
				t.Errorf("got %d changes and %v %.200s", len(changes), differs, ch)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}
