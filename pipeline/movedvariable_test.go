package pipeline

import (
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit/objtest"
)

// TestMovedVariables: a variable that moved from one unit to another with its code is refused, one of another size or name is not.
func TestMovedVariables(t *testing.T) {
	compare := func(name, pre, post string) *comparison {
		t.Helper()
		r, err := diff.Compare(name, objtest.Text(t, pre, "-g"), objtest.Text(t, post, "-g"), diff.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c := &comparison{Result: r}
		c.gone, c.added = r.Moved()
		return c
	}
	const without = "extern int source(int);\nint rest(int n) { return source(n); }\n"
	from := compare("from.c", "extern int source(int);\nstatic int state; static int TAKEN; int f(int n) { state += n; TAKEN -= n; return source(state + TAKEN); }\n", without)
	to := compare("to.c", without, "extern int source(int);\nstatic int state; static long TAKEN; static int other;\n"+
		"int f(int n) { state += n; TAKEN -= n; other++; return source(state + TAKEN + other); }\n")
	refused := movedVariables([]*comparison{from, to})
	if len(refused) != 1 || refused[0].Subject != "state" || refused[0].Unit != "to.c" || refused[0].Code != diff.AmbiguousStatic {
		t.Errorf("got %v", refused)
	}
	if refused := movedVariables([]*comparison{from}); len(refused) > 0 {
		t.Errorf("of one unit: %v", refused)
	}
}
