package pipeline

import (
	"slices"
	"testing"

	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// TestNamedByData finds a text that a table names, and not those that only code has.
func TestNamedByData(t *testing.T) {
	u := objtest.Unit(t, `
void keep(const char *);
static const char *const table[] __attribute__((used, section("__dyndbg"))) = { "in a table" };
void f(void) { keep("in code"); keep(__func__); }
`)
	var texts []string
	for it := range namedByData(u) {
		if it.Kind == unit.Literal {
			texts = append(texts, string(it.Bytes()))
		}
	}
	if want := []string{"in a table\x00"}; !slices.Equal(texts, want) {
		t.Errorf("texts %q, want %q", texts, want)
	}
}
