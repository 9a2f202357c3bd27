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

// TestLinesInTexts: of a text with the name of a file and a number the object alone does not tell whether it is a line.
func TestLinesInTexts(t *testing.T) {
	const pre = "extern void note(const char *);\nvoid f(void) { note(\"ratio.h:16 is bad\"); }\n"
	const post = "extern void note(const char *);\nvoid f(void) { note(\"ratio.h:9 is bad\"); }\n"
	for _, c := range []struct {
		name    string
		opts    diff.Options
		changed int
		lines   []string
	}{
		{"it may be a line", diff.Options{}, 0, []string{"f"}},
		{"the caller knows that it is none", diff.Options{NotLines: map[string]bool{"f": true}}, 1, nil},
		{"the lines of both are the same", diff.Options{ExactLines: true}, 1, nil},
	} {
		r, err := diff.Compare("unit.c", objtest.Text(t, pre, "-g"), objtest.Text(t, post, "-g"), c.opts)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Replaced()) != c.changed || !slices.Equal(r.OnlyLines, c.lines) {
			t.Errorf("%s: %d changed, only lines %q; want %d and %q", c.name, len(r.Replaced()), r.OnlyLines, c.changed, c.lines)
		}
	}
}
