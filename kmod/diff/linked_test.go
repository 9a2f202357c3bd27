package diff_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit/objtest"
)

// linked compiles sources without sections of their own and links them into one object, as kbuild links a module.
func linked(t *testing.T, sources ...string) *elfobj.Object {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "linked.o")
	args := []string{"-r", "-o", out}
	for i, code := range sources {
		src := filepath.Join(dir, string(rune('a'+i))+".c")
		if err := os.WriteFile(src, []byte("#include \"kernel.h\"\n"+code), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, objtest.File(t, src, "-I", objtest.Folder(t), "-fno-function-sections", "-fno-data-sections"))
	}
	objtest.Run(t, "binutils", "ld", args...)
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := elfobj.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

const (
	linkedA = `
static int state = 3, counts[5];
static noinline noclone int same(int n) { return source(n) + state++; }
int first_a(int n) { return same(n) + counts[n]++; }
`
	linkedB = `
static int state = 4, counts[7];
static noinline noclone int same(int n) { return source(n) * state--; }
int first_b(int n) { return same(n) + counts[n - 3]--; }
`
)

// TestLinked: functions and data of one name are paired in order, and none is mistaken for another.
func TestLinked(t *testing.T) {
	pre := linked(t, linkedA, linkedB)
	identical(t, pre, linked(t, linkedA, linkedB))

	r, err := diff.Compare("linked.c", pre, linked(t, linkedA, strings.Replace(linkedB, "source(n) *", "2 + source(n) *", 1)), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Replaced(); len(got) != 1 || got[0].Name != "same" || got[0] != r.Post.Items[indexOf(t, r, "same", 2)] {
		t.Errorf("replaced: %v, want the second function \"same\" alone", got)
	}
	_, err = r.Extract(diff.Names{Prefix: "u0"})
	var refused diff.Refusals
	if !errors.As(err, &refused) || refused[0].Code != diff.AmbiguousStatic || refused[0].Subject != "state" {
		t.Errorf("carried code refers to one of two variables of a name: %v", err)
	}

	// One of a name on one side and two on the other are no pair.
	if r, err = diff.Compare("linked.c", pre, linked(t, linkedA), diff.Options{}); err != nil {
		t.Fatal(err)
	}
	if it := r.Post.Items[indexOf(t, r, "state", 1)]; r.PreOf(it) != nil {
		t.Errorf("the only %q of post is taken for one of two of pre", it.Name)
	}
	if r, err = diff.Compare("linked.c", linked(t, linkedA), pre, diff.Options{}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		for _, name := range []string{"state", "same"} {
			if it := r.Post.Items[indexOf(t, r, name, n)]; r.PreOf(it) != nil {
				t.Errorf("one of two %q of post is taken for the only one of pre", name)
			}
		}
	}
}

// indexOf is the place in post's items of the n-th of a name.
func indexOf(t *testing.T, r *diff.Result, name string, n int) int {
	t.Helper()
	for i, it := range r.Post.Items {
		if it.Name == name {
			if n--; n == 0 {
				return i
			}
		}
	}
	t.Fatalf("no %q", name)
	return 0
}

// TestBesideArrays: what counts from a place in front of an array is that array's where its neighbours are as before, and
// anybody's where it is far away.
func TestBesideArrays(t *testing.T) {
	// Compilers fold such an index into the address when they find it worth the while; this does it always.
	const code = `
#define LOAD(place, n) ({ long x; asm("movzbl " place "(%1), %k0" : "=r"(x) : "r"(n)); x; })
static used char small[3] = { 1 };
static used char large[72] __attribute__((aligned(32))) = { 1 };
long near(long n) { return LOAD("small", n) + LOAD("large-1", n); }
long distant(long n) { return LOAD("small", n) + LOAD("large-100", n); }
`
	pre := linked(t, code)
	identical(t, pre, linked(t, code))
	for _, c := range []struct{ function, from, to, want string }{
		{"near", `LOAD("large-1", n);`, `LOAD("large-1", n) + 1;`, ""},
		{"distant", `LOAD("large-100", n);`, `LOAD("large-100", n) + 1;`, "whether it refers to"},
	} {
		r, err := diff.Compare("linked.c", pre, linked(t, strings.Replace(code, c.from, c.to, 1)), diff.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Replaced(); len(got) != 1 || got[0].Name != c.function || len(r.Refusals) > 0 {
			t.Errorf("%s: replaced %v, refused %v", c.function, got, r.Refusals)
		}
		_, err = r.Extract(diff.Names{Prefix: "u0"})
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.function, err, c.want)
		}
	}
}

// TestLinkedCallees: two static functions of one name that changed code calls stay two.
func TestLinkedCallees(t *testing.T) {
	const a = "static noinline noclone int same(int n) { return source(n) + 1; }\nint first_a(int n) { return same(n) + 3; }\n"
	const b = "static noinline noclone int same(int n) { return source(n) + 2; }\nint first_b(int n) { return same(n) + 3; }\n"
	changed := strings.NewReplacer("same(n) + 3", "same(n) + 4")
	r, err := diff.Compare("linked.c", linked(t, a, b), linked(t, changed.Replace(a), changed.Replace(b)), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := r.Extract(diff.Names{Prefix: "u0"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, n := range x.Needs {
		if n.Name == "same" {
			got[n.Sym.Name] = n.Pre.Start
		}
	}
	if len(got) != 2 || got["same..u0"] == got["same..u0.1"] {
		t.Errorf("needs %v, want two functions of that name", got)
	}
}

// TestNewNames: what other units can call by a name that is new, whether it was there or not.
func TestNewNames(t *testing.T) {
	const include = "#include \"kernel.h\"\n"
	r, err := diff.Compare("unit.c",
		objtest.Text(t, include+"static used int hook(int n) { return source(n); }\nint f(int n) { return source(n) + 1; }\n"),
		objtest.Text(t, include+"int hook(int n) { return source(n); }\nint f(int n) { return source(n) + 1; }\nint g(int) __attribute__((__alias__(\"f\")));\nint h;\n"), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(r.NewNames())); !slices.Equal(got, []string{"g", "h", "hook"}) {
		t.Errorf("new names %v", got)
	}
}
