package layout

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func compile(t testing.TB, src string, flags ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	c, o := filepath.Join(dir, "t.c"), filepath.Join(dir, "t.o")
	if err := os.WriteFile(c, []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc-12", append(flags, "-c", "-o", o, c)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc-12 (Debian package gcc-12): %v\n%s", err, out)
	}
	data, err := os.ReadFile(o)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func read(t testing.TB, src string, flags ...string) *Unit {
	t.Helper()
	u, err := Read(compile(t, src, append([]string{"-O2", "-w"}, flags...)...))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func compare(t testing.TB, pre, post *Unit) []Change {
	t.Helper()
	changes, err := Compare(pre, post)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

const pre = `
struct inner { int a; int b; };
struct s { char c; struct inner in; union { long l; void *p; }; unsigned f1 : 3, f2 : 5; };
struct only_pre { int x; };
int use(struct s *s, struct inner *i, struct only_pre *o) { struct local { int k; } l = { s->c }; return l.k + i->a + s->f2 + o->x; }
`

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name, post string
		want       string
	}{
		{"same", pre, ""},
		{"renamed member", `struct inner { int a; int c; }; struct s { char c; struct inner in; union { long l; void *p; }; unsigned f1 : 3, f2 : 5; }; int use(struct s *s, struct inner *i) { return i->c; }`, ""},
		{"other number of the same size", `struct inner { unsigned a; enum { x } b; }; int use(struct inner *i) { return i->a; }`, ""},
		{"exchanged", `struct inner { int b; int a; }; int use(struct inner *i) { return i->a; }`, "struct inner: member a moves from byte 0 to 4, and 1 more"},
		{"type renamed", `struct inner { int a; int b; }; struct now { int x; }; int use(struct inner *i, struct now *o) { return i->a + o->x; }`, ""},
		{"type renamed, and larger", `struct inner { int a; int b; }; struct now { int y, x; }; int use(struct inner *i, struct now *o) { return i->a + o->x; }`,
			"struct only_pre: size 4 to 8 bytes, it is now struct now, member y is new at byte 0 (int, 4 bytes), member x moves from byte 0 to 4"},
		{"type renamed, with its pointers, and larger", `struct inner { int a; int b; }; struct now { int y, x; }; int use(struct inner *i, struct now *n) { return i->a + n->x; }`,
			"struct only_pre: size 4 to 8 bytes, it is now struct now, member y is new at byte 0 (int, 4 bytes), member x moves from byte 0 to 4"},
		{"another type", `struct inner { int a; int b; }; struct now { long y, z; }; int use(struct inner *i, struct now *n) { return i->a + n->y; }`, ""},
		{"gone", `struct inner { int a; int b; }; int use(struct inner *i) { return i->a; }`, ""},
		{"new type", pre + `struct fresh { int y; }; int g(struct fresh *f) { return f->y; }`, ""},
		{"local to a function", `struct inner { int a; int b; }; int use(struct inner *i) { struct local { long k, m; } l = { i->a }; return l.k + l.m; }`, ""},
		{"no number any more", `struct inner { int a; float b; }; int use(struct inner *i) { return i->a; }`,
			"struct inner: member b changes from byte 4 (int, 4 bytes) to byte 4 (float, 4 bytes)"},
		{"member appended", `struct inner { int a; int b; int c; }; int use(struct inner *i) { return i->c; }`,
			"struct inner: size 8 to 12 bytes, member c is new at byte 8 (int, 4 bytes)"},
		{"member inserted", `struct inner { int a; int z; int b; }; int use(struct inner *i) { return i->b; }`,
			"struct inner: size 8 to 12 bytes, member z is new at byte 4 (int, 4 bytes), member b moves from byte 4 to 8"},
		{"member removed", `struct inner { int b; }; int use(struct inner *i) { return i->b; }`,
			"struct inner: size 8 to 4 bytes, member a is gone from byte 0 (int, 4 bytes), member b moves from byte 4 to 0"},
		{"member in a hole", `struct inner { int a; int b; }; struct s { char c; char hole; struct inner in; union { long l; void *p; }; unsigned f1 : 3, f2 : 5; }; int use(struct s *s) { return s->hole; }`,
			"struct s: member hole is new at byte 1 (char, 1 byte)"},
		{"member widened", `struct inner { int a; long b; }; int use(struct inner *i) { return i->b; }`,
			"struct inner: size 8 to 16 bytes, member b changes from byte 4 (int, 4 bytes) to byte 8 (long int, 8 bytes)"},
		{"bit field", `struct inner { int a; int b; }; struct s { char c; struct inner in; union { long l; void *p; }; unsigned f1 : 4, f2 : 4; }; int use(struct s *s) { return s->f2; }`,
			"struct s: member f1 changes from bit 192 (unsigned int, 3 of its bits) to bit 192 (unsigned int, 4 of its bits), member f2 changes from bit 195 (unsigned int, 5 of its bits) to bit 196 (unsigned int, 4 of its bits)"},
		{"bit field moved", `struct inner { int a; int b; }; struct s { char c; struct inner in; union { long l; void *p; }; unsigned f2 : 5, f1 : 3; }; int use(struct s *s) { return s->f2; }`,
			"struct s: member f1 moves from bit 192 to 197, and 1 more"},
		{"empty member", `struct inner { int a; struct {} none; int b; }; int use(struct inner *i) { return i->b; }`, ""},
		{"empty member of a type with a name", `typedef struct {} tracker; struct inner { int a; int b; tracker t; }; int use(struct inner *i) { return i->b; }`, ""},
		{"flexible array", `struct inner { int a; int b; int more[]; }; int use(struct inner *i) { return i->more[1]; }`,
			"struct inner: member more is new at byte 8 (int[0], 0 bytes)"},
		{"second name", `struct inner { int a; union { int b; int alias; }; }; int use(struct inner *i) { return i->alias; }`, ""},
		{"second name of another type", `struct inner { int a; union { int b; float alias; }; }; int use(struct inner *i) { return i->alias; }`,
			"struct inner: member alias is new at byte 4 (float, 4 bytes)"},
		{"second name of a part", `struct inner { int a; union { int b; short alias; }; }; int use(struct inner *i) { return i->alias; }`,
			"struct inner: member alias is new at byte 4 (short int, 2 bytes)"},
		{"second name in the place of one that moves", `struct inner { int alias; int a; }; int use(struct inner *i) { return i->alias; }`,
			"struct inner: member b is gone from byte 4 (int, 4 bytes), member alias is new at byte 0 (int, 4 bytes), member a moves from byte 0 to 4"},
		{"in an anonymous union", `struct inner { int a; int b; }; struct s { char c; struct inner in; union { long l; void *p; int more[4]; }; unsigned f1 : 3, f2 : 5; }; int use(struct s *s) { return s->more[1]; }`,
			"struct s: size 32 to 40 bytes, member more is new at byte 16 (int[4], 16 bytes), member f1 moves from bit 192 to 256, and 1 more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, dwarf := range []string{"-gdwarf-4", "-gdwarf-5"} {
				compared(t, read(t, pre, dwarf), read(t, c.post, dwarf), c.want)
			}
		})
	}
}

func compared(t *testing.T, a, b *Unit, want string) {
	t.Helper()
	var got []string
	for _, ch := range compare(t, a, b) {
		got = append(got, ch.Pre.Name+": "+ch.String())
	}
	if strings.Join(got, "; ") != want {
		t.Errorf("got %q, want %q", strings.Join(got, "; "), want)
	}
}

// TestCompareWrapped has a spinlock_t become a raw_spinlock_t, as they are without PREEMPT_RT.
func TestCompareWrapped(t *testing.T) {
	const types = `typedef struct { unsigned v; } arch_spinlock_t; typedef struct raw_spinlock { arch_spinlock_t raw_lock; } raw_spinlock_t;
typedef struct spinlock { union { struct raw_spinlock rlock; }; } spinlock_t; typedef struct { int counter; } atomic_t;
typedef struct refcount_struct { atomic_t refs; } refcount_t; struct big { struct raw_spinlock l; long x; };
`
	for _, c := range []struct{ name, pre, post, want string }{
		{"unwrapped", "spinlock_t", "raw_spinlock_t", ""},
		{"wrapped", "raw_spinlock_t", "spinlock_t", ""},
		{"a struct without a name", "atomic_t", "refcount_t", "struct s: member m changes from byte 0 (atomic_t, 4 bytes) to byte 0 (refcount_t, 4 bytes)"},
		{"a number", "raw_spinlock_t", "unsigned", "struct s: member m changes from byte 0 (raw_spinlock_t, 4 bytes) to byte 0 (unsigned int, 4 bytes)"},
		{"more than the wrapped", "raw_spinlock_t", "struct big",
			"struct s: size 8 to 24 bytes, member m changes from byte 0 (raw_spinlock_t, 4 bytes) to byte 0 (struct big, 16 bytes), member n moves from byte 4 to 16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			object := func(member string) *Unit {
				return read(t, types+"struct s { "+member+" m; int n; }; int f(struct s *s) { return s->n; } spinlock_t a; raw_spinlock_t b; refcount_t c; struct big d;", "-gdwarf-5")
			}
			compared(t, object(c.pre), object(c.post), c.want)
		})
	}
}

// TestCompareUnnamed finds types without a name by what they belong to, and other types behind pointers.
func TestCompareUnnamed(t *testing.T) {
	for _, c := range []struct{ name, pre, post, want string }{
		{"typedef", `typedef struct { int a; } t; int f(t *x) { return x->a; }`, `typedef struct { int z, a; } t; int f(t *x) { return x->a; }`,
			"t: size 4 to 8 bytes, member z is new at byte 0 (int, 4 bytes), member a moves from byte 0 to 4"},
		{"variable", `static struct { int a; short b; } v; int f(void) { return v.a++ + v.b++; }`, `static struct { short b; int a; } v; int f(void) { return v.a++ + v.b++; }`,
			"struct of variable v: member a moves from byte 0 to 4, and 1 more"},
		{"elements of a member", `struct s { struct { int a, b; } e[4]; } ; int f(struct s *s) { return s->e[1].b; }`, `struct s { struct { int b, a; } e[4]; } ; int f(struct s *s) { return s->e[1].b; }`,
			"struct s: member e.a moves from byte 0 to 4, and 1 more"},
		{"behind a member", `struct s { struct { int a, b; } *e; } ; int f(struct s *s) { return s->e->b; }`, `struct s { struct { int b, a; } *e; } ; int f(struct s *s) { return s->e->b; }`,
			"what e of struct s points to: member a moves from byte 0 to 4, and 1 more"},
		{"function pointer", `struct s { int (*f)(int); }; int f(struct s *s) { return s->f(1); }`, `struct s { int (*f)(int, void *); }; int f(struct s *s) { return s->f(1, s); }`,
			"struct s: member f changes from byte 0 (int (*)(int), 8 bytes) to byte 0 (int (*)(int, void *), 8 bytes)"},
		{"pointer to another struct", `struct a { int x; }; struct b { long y; }; struct s { struct a *p; }; int f(struct s *s) { return s->p->x; }`,
			`struct a { int x; }; struct b { long y; }; struct s { struct b *p; }; int f(struct s *s) { return s->p->y; }`,
			"struct a: size 4 to 8 bytes, it is now struct b, member x is gone from byte 0 (int, 4 bytes), member y is new at byte 0 (long int, 8 bytes); struct s: member p changes from byte 0 (struct a *, 8 bytes) to byte 0 (struct b *, 8 bytes)"},
		{"pointer to a struct of another name", `struct a { int x; }; struct s { struct a *p; }; int f(struct s *s) { return s->p->x; }`,
			`struct b { int x; }; struct s { struct b *p; }; int f(struct s *s) { return s->p->x; }`, ""},
		{"pointer to anything", `struct s { void *p; }; int f(struct s *s) { return *(int *)s->p; }`, `struct s { const int *p; }; int f(struct s *s) { return *s->p; }`, ""},
		{"pointer becomes a number", `struct s { void *p; }; int f(struct s *s) { return *(int *)s->p; }`, `struct s { unsigned long p; }; int f(struct s *s) { return s->p; }`,
			"struct s: member p changes from byte 0 (void *, 8 bytes) to byte 0 (long unsigned int, 8 bytes)"},
		{"declared, then defined", `struct s; struct t { struct s *p; }; struct s *f(struct t *t) { return t->p; }`, `struct s { int a; }; struct t { struct s *p; }; int f(struct t *t) { return t->p->a; }`, ""},
		{"another type without a name", `typedef struct { int n; } a; typedef struct { short x, y; } b; struct s { a m; }; int f(struct s *s, b *o) { return s->m.n + o->x; }`,
			`typedef struct { int n; } a; typedef struct { short x, y; } b; struct s { b m; }; int f(struct s *s, a *o) { return s->m.x + o->n; }`,
			"struct s: member m changes from byte 0 (a, 4 bytes) to byte 0 (b, 4 bytes)"},
		{"another type without a name, the same in it", `typedef struct { unsigned n; } a; typedef struct { unsigned x; } b; struct s { a m; }; int f(struct s *s, b *o) { return s->m.n + o->x; }`,
			`typedef struct { unsigned n; } a; typedef struct { unsigned x; } b; struct s { b m; }; int f(struct s *s, a *o) { return s->m.x + o->n; }`, ""},
		{"pointer to another type without a name", `typedef struct { int n; } a; typedef struct { short x, y; } b; struct s { a *m; }; int f(struct s *s, b *o) { return s->m->n + o->x; }`,
			`typedef struct { int n; } a; typedef struct { short x, y; } b; struct s { b *m; }; int f(struct s *s, a *o) { return s->m->x + o->n; }`,
			"struct s: member m changes from byte 0 (a *, 8 bytes) to byte 0 (b *, 8 bytes)"},
		{"constness", `struct s { char *p; }; char *f(struct s *s) { return s->p; }`, `struct s { const char *p; }; const char *f(struct s *s) { return s->p; }`, ""},
		{"array of other elements", `struct s { int a[4]; }; int f(struct s *s) { return s->a[1]; }`, `struct s { long a[2]; }; int f(struct s *s) { return s->a[1]; }`,
			"struct s: member a changes from byte 0 (int[4], 16 bytes) to byte 0 (long int[2], 16 bytes)"},
	} {
		t.Run(c.name, func(t *testing.T) { compared(t, read(t, c.pre, "-g"), read(t, c.post, "-g"), c.want) })
	}
}

func TestCompareConstants(t *testing.T) {
	const before = `enum e { A, B, C, __E_MAX }; enum { NR_FIRST, ALONE = 4 }; int f(enum e e) { return e == B ? ALONE : C; }`
	for _, c := range []struct{ name, post, want string }{
		{"same", before, ""},
		{"appended before the count", `enum e { A, B, C, D, __E_MAX }; enum { ALONE = 4 }; int f(enum e e) { return e == B ? ALONE : C; }`, ""},
		{"inserted", `enum e { A, Z, B, C, __E_MAX }; enum { ALONE = 5 }; int f(enum e e) { return e == B ? ALONE : C; }`, "ALONE changes from 4 to 5, B changes from 1 to 2, C changes from 2 to 3"},
		{"removed", `enum e { B, C, __E_MAX }; enum { ALONE = 4 }; int f(enum e e) { return e == B ? ALONE : C; }`, "B changes from 1 to 0, C changes from 2 to 1, __E_MAX changes from 3 to 2"},
		{"a count in front of others", `enum e { A, B, C, __E_MAX }; enum { ONE, NR_FIRST, ALONE = 4 }; int f(enum e e) { return e == B ? ALONE : C; }`, "NR_FIRST changes from 0 to 1"},
		{"many", `enum e { Z, A, B, C, __E_MAX }; enum { ALONE = 3 }; int f(enum e e) { return e == B ? ALONE : C; }`, "ALONE changes from 4 to 3, A changes from 0 to 1, B changes from 1 to 2, and 1 more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := DescribeConstants(CompareConstants(read(t, before, "-g"), read(t, c.post, "-g"))); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestComparePrototypes(t *testing.T) {
	const before = `struct s { int a; }; struct b { long l; }; typedef unsigned u32; int f(struct s *s, unsigned n) { return s->a + n; } static int __attribute__((noinline)) g(int n) { return n; } int h(int n) { return g(n); } void v(const char *fmt, ...) {}`
	for _, c := range []struct{ name, post, want string }{
		{"same", before, ""},
		{"names and spelling", `struct s { int a; }; typedef unsigned u32; int f(const struct s *object, u32 count) { return object->a + count; }`, ""},
		{"another parameter", `struct s { int a; }; int f(struct s *s, unsigned n, char *why) { return s->a + n; }`, "int f(struct s *, unsigned int) becomes int f(struct s *, unsigned int, char *)"},
		{"another size", `struct s { int a; }; int f(struct s *s, unsigned long n) { return s->a + n; }`, "int f(struct s *, unsigned int) becomes int f(struct s *, long unsigned int)"},
		{"another struct", `struct b { long l; }; int f(struct b *s, unsigned n) { return s->l + n; }`, "int f(struct s *, unsigned int) becomes int f(struct b *, unsigned int)"},
		{"another result", `struct s { int a; }; void f(struct s *s, unsigned n) { s->a += n; } int h(void) { return 1; }`, "int f(struct s *, unsigned int) becomes void f(struct s *, unsigned int), int h(int) becomes int h(void)"},
		{"a static function", `static int __attribute__((noinline)) g(long n) { return n; } int h(int n) { return g(n); }`, ""},
		{"static now", `static int __attribute__((noinline)) h(char *n) { return *n; } int i(char *n) { return h(n) + 1; }`, "int h(int) becomes int h(char *)"},
		{"no more variable parameters", `void v(const char *fmt) {}`, "void v(const char *, ...) becomes void v(const char *)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, p := range ComparePrototypes(read(t, before, "-g"), read(t, c.post, "-g")) {
				got = append(got, p.Pre.String()+" becomes "+p.Post.String())
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got %q, want %q", strings.Join(got, ", "), c.want)
			}
		})
	}
}

func TestUsers(t *testing.T) {
	u := read(t, `
struct s { int a; }; typedef struct { int b; } anon; struct holder { struct s *s; };
static inline __attribute__((always_inline)) int get(struct s *s) { return s->a; }
int byparam(struct s *s) { return s->a; }
int bylocal(void) { struct s l[2] = { 0 }; return get(l); }
int inlined(struct holder *h) { return get(h->s); }
int through(struct holder *h) { return h->s->a; }
int other(anon **a) { return (*a)->b; }
`, "-g")
	users, err := u.Users()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{"struct s": {"bylocal", "byparam", "get", "inlined"}, "anon": {"other"}, "struct holder": {"inlined", "through"}} {
		if !slices.Equal(users[name], want) {
			t.Errorf("%s: got %v, want %v", name, users[name], want)
		}
	}
}

func TestLeaf(t *testing.T) {
	u := read(t, `
struct ops { int (*open)(int); const char *name; union { int u; long v; }; unsigned char flags : 3, more : 5; char text[6]; };
struct ops table[3] = { { 0 } }; int number = 1; static const char word[] = "abc"; struct ops *pointer = table;
int f(int n) { static long state = 3; static struct { short a[4]; } twice[2] = { 1 }; state++; return word[n] + twice[n].a[1]; }
int g(int n) { static int state = 3; return state++; }
`, "-g")
	for _, c := range []struct {
		name   string
		offset int64
		want   Leaf
		ok     bool
	}{
		{"table", 32, Leaf{Path: "[1].open", Offset: 32, Size: 8, Type: "int (*)(int)"}, true},
		{"table", 41, Leaf{Path: "[1].name", Offset: 40, Size: 8, Type: "const char *"}, true},
		{"table", 48, Leaf{Path: "[1].u", Offset: 48, Size: 4, Type: "int", Number: true, Signed: true}, true},
		{"table", 54, Leaf{Path: "[1].v", Offset: 48, Size: 8, Type: "long int", Number: true, Signed: true}, true},
		{"table", 24, Leaf{Path: "[0].flags", Offset: 24, Size: 1, Type: "unsigned char", Number: true, Text: true}, true},
		{"table", 26, Leaf{Path: "[0].text[1]", Offset: 26, Size: 1, Type: "char", Number: true, Signed: true, Text: true}, true},
		{"table", 31, Leaf{}, false},
		{"table", 96, Leaf{}, false},
		{"table", -1, Leaf{}, false},
		{"number", 3, Leaf{Size: 4, Type: "int", Number: true, Signed: true}, true},
		{"word", 2, Leaf{Path: "[2]", Offset: 2, Size: 1, Type: "const char", Number: true, Signed: true, Text: true}, true},
		{"twice", 10, Leaf{Path: "[1].a[1]", Offset: 10, Size: 2, Type: "short int", Number: true, Signed: true}, true},
		{"state", 0, Leaf{}, false},
		{"nothing", 0, Leaf{}, false},
	} {
		got, ok := u.Leaf(c.name, c.offset)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s at %d: got %+v, %v, want %+v", c.name, c.offset, got, ok, c.want)
		}
	}
}

func TestReadPlace(t *testing.T) {
	types := read(t, pre, "-g").Types
	s := types["struct inner"]
	if s.Size != 8 || s.Line != 2 || filepath.Base(s.File) != "t.c" || len(s.Members) != 2 {
		t.Errorf("struct inner: %+v", s)
	}
	if m := s.Members[1]; m.Name != "b" || m.Type != "int" || m.Size != 4 || m.Offset != 4 {
		t.Errorf("member b: %+v", m)
	}
	if _, ok := types["struct local"]; ok {
		t.Error("a struct within a function is reported")
	}
}

func TestNoDWARF(t *testing.T) {
	if _, err := Read(compile(t, pre, "-O2", "-g0")); !errors.Is(err, ErrNoDWARF) {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(compile(f, pre, "-g", "-gno-column-info"))
	f.Add(compile(f, `typedef struct { struct { int a[2]; } *b; enum { A } e; } t; t v; int f(t *x, ...) { return x->b->a[1]; }`, "-g"))
	f.Add(compile(f, `struct a { struct a *next; struct { struct b *b; int x[3]; } *l, *r; }; struct b { struct a a; void (*f)(struct b *, int); }; typedef struct b t; t *v; int f(int n) { return ((char *)v)[n]; }`, "-g"))
	other := read(f, `struct x { struct x *next; struct { struct y *b; int x[3]; } *l, *r; }; struct y { struct x a; void (*f)(struct y *, int); }; typedef struct y s; s *v; int f(int n) { return ((char *)v)[n]; }`, "-g")
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := Read(data)
		if err != nil {
			return
		}
		for _, pair := range [][2]*Unit{{u, other}, {other, u}} {
			for _, c := range compare(t, pair[0], pair[1]) {
				_ = c.String()
			}
			ComparePrototypes(pair[0], pair[1])
			CompareVariable(pair[0], pair[1], "v")
		}
		if c := compare(t, u, u); len(c) > 0 {
			t.Errorf("differs from itself: %v", c)
		}
		CompareConstants(u, u)
		ComparePrototypes(u, u)
		u.Users()
		u.Leaf("v", 3)
	})
}
