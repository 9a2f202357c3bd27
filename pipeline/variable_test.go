package pipeline

import (
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/layout"
	"livesplice/kmod/unit/objtest"
)

// TestCompareVariables: a variable that changed code uses and that is of another type; others do not matter.
func TestCompareVariables(t *testing.T) {
	const code = "extern int source(int n);\nstatic TYPE tab[16 / sizeof(TYPE)], idle[16 / sizeof(TYPE)];\n" +
		"int f(int n) { static struct s { MEMBERS; } v; tab[n] += n; v.a++; return source(v.b + tab[1]); }\nint g(int n) { return source(((char *)idle)[n]); }\n"
	read := func(typ, members string) *compiled {
		t.Helper()
		obj := objtest.Text(t, strings.NewReplacer("TYPE", typ, "MEMBERS", members).Replace(code), "-g")
		raw, err := obj.Write()
		if err != nil {
			t.Fatal(err)
		}
		types, err := layout.Read(raw)
		if err != nil {
			t.Fatal(err)
		}
		return &compiled{obj: obj, types: types}
	}
	pre, post := read("unsigned char", "int a, b"), read("short", "int b, a")
	r, err := diff.Compare("unit.c", pre.obj, post.obj, diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	(&creation{}).compareVariables(PlannedUnit{Source: "unit.c"}, pre, post, r)
	want := map[string]string{
		"tab": "the type changes from unsigned char[16] to short int[8]; the running kernel's variable keeps what it holds, as it is",
		"v":   "the layout of its type, struct s, changes: member a moves from byte 0 to 4, and 1 more; the running kernel's variable keeps what it holds, as it is",
	}
	for _, one := range r.Refusals {
		if one.Code != codeLayout || one.Reason != want[one.Subject] {
			t.Errorf("%s: got %s, want %s", one.Subject, one.Reason, want[one.Subject])
		}
	}
	if len(r.Refusals) != len(want) {
		t.Errorf("%d refusals, want %d", len(r.Refusals), len(want))
	}
}
