package diff_test

import (
	"slices"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit/objtest"
)

// TestLines shows what objects alone tell of numbers that look like lines, and what a caller with the sources adds.
func TestLines(t *testing.T) {
	const pre = "extern int note(int);\nint f(int n) { return note(__LINE__) + n; }\nint far(int n) { return note(40) + n; }\n"
	const post = "\n\n" + "extern int note(int);\nint f(int n) { return note(__LINE__) + n; }\nint far(int n) { return note(42) + n; }\n"
	for _, c := range []struct {
		name    string
		opts    diff.Options
		changed []string
		lines   []string
	}{
		{"a number outside of the function is no line", diff.Options{}, []string{"far"}, []string{"f"}},
		{"the caller knows of one that is none", diff.Options{NotLines: map[string]bool{"f": true}}, []string{"f", "far"}, nil},
		{"the lines of both are the same", diff.Options{ExactLines: true}, []string{"f", "far"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := diff.Compare("unit.c", objtest.Text(t, pre, "-g"), objtest.Text(t, post, "-g"), c.opts)
			if err != nil {
				t.Fatal(err)
			}
			var changed []string
			for _, it := range r.Replaced() {
				changed = append(changed, it.Name)
			}
			if !slices.Equal(changed, c.changed) || !slices.Equal(r.OnlyLines, c.lines) {
				t.Errorf("changed %q, only lines %q; want %q and %q", changed, r.OnlyLines, c.changed, c.lines)
			}
		})
	}
}
