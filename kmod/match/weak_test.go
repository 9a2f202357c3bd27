package match_test

import (
	"strings"
	"testing"

	"livesplice/kmod/unit"
)

// TestNotInUse tells weak functions that the link took from those of which another unit has a definition, with other bytes or
// the same. Of the latter, the place alone tells.
func TestNotInUse(t *testing.T) {
	const (
		w     = "weak int w(int n) { return source(n) + 3; }\n"
		own   = "int w(int n) { return source(n) + 3; }\n"
		other = "int w(int n) { return source(n) + 4; }\n"
		first = "int first(int n) { return source(n) + 5; }\n"
		last  = "int last(int n) { return source(n) + 6; }\n"
		far   = "int far(int n) { return source(n) + 7; }\n"
		calls = "int w(int); int first(int n) { return w(n) + 5; }\n"
	)
	const differs, elsewhere = "weak, and overridden by another definition: different code", "the kernel's function of this name is equal to it, but does not stand where this unit's is"
	for _, c := range []struct {
		name  string
		units [][2]string // in the order of the link; a.c is the one that is matched
		want  string
	}{
		{"in use, between others", [][2]string{{"b.c", far}, {"a.c", first + w + last}}, ""},
		{"in use, the first", [][2]string{{"b.c", far}, {"a.c", w + last}}, ""},
		{"in use, the last", [][2]string{{"a.c", first + w}, {"b.c", far}}, ""},
		{"in use, and called by its own unit", [][2]string{{"a.c", calls + w}, {"b.c", far}}, ""},
		{"in use, between weak ones", [][2]string{{"a.c", first + strings.ReplaceAll(w, "w(", "v(") + w + strings.ReplaceAll(w, "w(", "x(") + last}, {"b.c", far}}, ""},
		{"in use, alone in its unit", [][2]string{{"b.c", far}, {"a.c", w}}, elsewhere}, // nothing shows where the unit is
		{"overridden", [][2]string{{"a.c", first + w + last}, {"b.c", other}}, differs},
		{"overridden by the same bytes, behind", [][2]string{{"a.c", first + w + last}, {"b.c", own + far}}, elsewhere},
		{"overridden by the same bytes, before", [][2]string{{"b.c", far + own}, {"a.c", first + w + last}}, elsewhere},
		{"overridden by the same bytes, just behind, the first of both", [][2]string{{"a.c", w + last}, {"b.c", own + far}}, elsewhere},
		{"overridden by the same bytes, just behind, the last of both", [][2]string{{"a.c", first + w}, {"b.c", own}}, elsewhere},
		{"overridden by the same bytes, just before, the last", [][2]string{{"b.c", far + own}, {"a.c", first + w}}, elsewhere},
		{"overridden by the same bytes, just before, the first", [][2]string{{"b.c", own}, {"a.c", w + last}}, elsewhere},
		{"not weak", [][2]string{{"a.c", own}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := link(t, c.units...)
			code := ""
			for _, u := range c.units {
				if u[0] == "a.c" {
					code = u[1]
				}
			}
			r, pre := matched(t, im, "a.c", code)
			var item *unit.Item
			for _, it := range pre.Items {
				if it.Name == "w" {
					item = it
				}
			}
			if got := hideAddresses(r.NotInUse(item)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
