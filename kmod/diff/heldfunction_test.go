package diff_test

import (
	"regexp"
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit/objtest"
)

var place = regexp.MustCompile(` \(unit.c:[0-9]+\)`)

// TestHeldFunctions tells what becomes of functions whose address the shipped code handed out.
func TestHeldFunctions(t *testing.T) {
	const (
		head = "#include \"kernel.h\"\nextern void set_timer(void *, int); struct s { int a, b; };\n"
		arms = "void arm(int a) { set_timer(cb, a); source(a); }\n"
		runs = "void arm(int a) { source(5); cb(a); source(6); }\n"
		old  = "static noinline noclone void cb(int a) { source(a); source(a + 1); }\n"
		fix  = "static noinline noclone void cb(int a) { if (a > 8) return; source(a); source(a + 1); }\n"
	)
	for _, c := range []struct {
		name, pre, post string
		want            string // code, and who has the address
	}{
		{"replaced", old + arms, fix + runs, ""},
		{"gone from the source", old + arms, "void arm(int a) { source(5); source(a); }", ""},
		{"inlined", old + arms, strings.ReplaceAll(fix, "noinline", "__attribute__((always_inline)) inline") + runs, "held-function arm of the shipped code computes its address"},
		{"a clone of it", strings.ReplaceAll(old, "cb(int a)", "cb(int a, int b)") + arms + "void two(int a) { cb(a, 1); source(7); }\n",
			"static noinline void cb(int a, int b) { if (a > 8) return; source(a + b); source(a + 1); } void arm(int a) { source(5); cb(a, 1); source(6); } void two(int a) { cb(a, 1); source(7); }",
			"held-function arm of the shipped code computes its address"},
		{"another prototype", "static noinline noclone void cb(struct s *p) { source(p->a); source(p->b); }\n" + arms, fix + runs, "prototype-changed arm of the shipped code computes its address"},
		{"another prototype of what is only called", "static noinline noclone void cb(struct s *p) { source(p->a); source(p->b); } void arm(struct s *p) { source(5); cb(p); source(6); }\n",
			fix + "void arm(struct s *p) { source(5); cb(p->a); source(6); }", ""},
		{"held by a table", old + "const struct { void (*fn)(int); } table = { cb };\n" + runs, strings.ReplaceAll(fix, "noinline", "inline") + runs, "held-function table of the shipped code holds its address"},
		{"held by itself", "static noinline noclone void cb(int a) { source(a); set_timer(cb, a); }\n" + runs, strings.ReplaceAll(fix, "noinline", "inline") + runs, "held-function cb of the shipped code computes its address"},
		{"handed out by boot code", old + "void section(\".init.text\") boot(void) { set_timer(cb, 1); }\n" + runs, strings.ReplaceAll(fix, "noinline", "inline") + "void section(\".init.text\") boot(void) { source(2); }\n" + runs,
			"held-function boot of the shipped code computes its address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := diff.Compare("unit.c", objtest.Text(t, head+c.pre, "-g"), objtest.Text(t, head+c.post, "-g"), diff.Options{})
			if err != nil {
				t.Fatal(err)
			}
			held, err := r.ReadHeldFunctions()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, one := range held {
				who, _, _ := strings.Cut(place.ReplaceAllString(one.Reason, ""), ":")
				got = append(got, string(one.Code)+" "+who)
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
}
