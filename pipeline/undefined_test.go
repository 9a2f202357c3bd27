package pipeline

import (
	"slices"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit/objtest"
)

// TestWidened: what was static and becomes global, not what is new or was global before.
func TestWidened(t *testing.T) {
	const pre = `
extern int source(int);
static __attribute__((__noinline__)) int f(int n) { return source(n) + 1; }
static int state;
int g(int n) { state += n; return f(n) + state; }
`
	const post = `
extern int source(int);
__attribute__((__noinline__)) int f(int n) { return source(n) + 1; }
int state;
int new;
int h(int n) { return n + 1; }
int g(int n) { state += n; return f(n) + state + h(n); }
`
	r, err := diff.Compare("unit.c", objtest.Text(t, pre, "-g"), objtest.Text(t, post, "-g"), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := widened(r, r.NewNames()); !slices.Equal(got, []string{"f", "state"}) {
		t.Errorf("got %q", got)
	}
}
