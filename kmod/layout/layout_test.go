package layout

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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

const pre = `
struct inner { int a; int b; };
struct s { char c; struct inner in; union { long l; void *p; }; unsigned f1 : 3, f2 : 5; };
struct only_pre { int x; };
int use(struct s *s, struct inner *i, struct only_pre *o) { struct local { int k; } l = { s->c }; return l.k + i->a + s->f2 + o->x; }
`

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name, post string
		want       []string
	}{
		{"same", pre, nil},
		{"renamed member", `struct inner { int a; int c; }; struct s { char c; struct inner in; union { long l; void *p; }; unsigned f1 : 3, f2 : 5; }; int use(struct s *s, struct inner *i) { return i->c; }`, nil},
		{"other type of the same size", `struct inner { unsigned a; float b; }; int use(struct inner *i) { return i->a; }`, nil},
		{"gone", `struct inner { int a; int b; }; int use(struct inner *i) { return i->a; }`, nil},
		{"new type", pre + `struct fresh { int y; }; int g(struct fresh *f) { return f->y; }`, nil},
		{"local to a function", `struct inner { int a; int b; }; int use(struct inner *i) { struct local { long k, m; } l = { i->a }; return l.k + l.m; }`, nil},
		{"member appended", `struct inner { int a; int b; int c; }; int use(struct inner *i) { return i->c; }`, []string{"struct inner: member c is new at byte 8"}},
		{"member inserted", `struct inner { int a; int z; int b; }; int use(struct inner *i) { return i->b; }`, []string{"struct inner: member b moves from byte 4 to 8"}},
		{"member in a hole", `struct inner { int a; int b; }; struct s { char c; char hole; struct inner in; union { long l; void *p; }; unsigned f1 : 3, f2 : 5; }; int use(struct s *s) { return s->hole; }`,
			[]string{"struct s: member hole is new at byte 1"}},
		{"member widened", `struct inner { int a; long b; }; int use(struct inner *i) { return i->b; }`, []string{"struct inner: member b moves from byte 4 to 8"}},
		{"member narrowed", `struct inner { int a; short b; }; int use(struct inner *i) { return i->b; }`, []string{"struct inner: member b changes its size, int to short int"}},
		{"bit field", `struct inner { int a; int b; }; struct s { char c; struct inner in; union { long l; void *p; }; unsigned f1 : 4, f2 : 4; }; int use(struct s *s) { return s->f2; }`,
			[]string{"struct s: member f1 changes its size, unsigned int to unsigned int"}},
		{"in an anonymous union", `struct inner { int a; int b; }; struct s { char c; struct inner in; union { long l; void *p; int more[4]; }; unsigned f1 : 3, f2 : 5; }; int use(struct s *s) { return s->more[1]; }`,
			[]string{"struct s: member f1 moves from byte 24 to 32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, dwarf := range []string{"-gdwarf-4", "-gdwarf-5"} {
				a, err := Read(compile(t, pre, "-O2", dwarf))
				if err != nil {
					t.Fatal(err)
				}
				b, err := Read(compile(t, c.post, "-O2", dwarf))
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, ch := range Compare(a, b) {
					got = append(got, ch.Pre.Name+": "+ch.What)
				}
				if len(got) != len(c.want) || len(got) > 0 && got[0] != c.want[0] {
					t.Errorf("%s: got %q, want %q", dwarf, got, c.want)
				}
			}
		})
	}
}

func TestReadPlace(t *testing.T) {
	types, err := Read(compile(t, pre, "-O2", "-g"))
	if err != nil {
		t.Fatal(err)
	}
	s := types["struct inner"]
	if s.Size != 8 || s.Line != 2 || filepath.Base(s.File) != "t.c" || len(s.Members) != 2 || s.Members[1] != (Member{Name: "b", Type: "int", Size: 4, Offset: 4}) {
		t.Errorf("struct inner: %+v", s)
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
	f.Add(compile(f, pre, "-g"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if types, err := Read(data); err == nil {
			Compare(types, types)
		}
	})
}
