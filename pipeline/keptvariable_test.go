package pipeline

import (
	"strings"
	"testing"
)

// TestMarkUsed: the declaration that a line holds is marked; what is not understood, or is not static, is left.
func TestMarkUsed(t *testing.T) {
	for _, c := range []struct {
		line   string
		want   string // "" for unmarked
		static bool
	}{
		{"static int limit = 3;", "static __attribute__((__used__)) int limit = 3;", true},
		{"\tstatic bool __read_mostly a, limit;", "\tstatic __attribute__((__used__)) bool __read_mostly a, limit;", true},
		{"static DEFINE_MUTEX(limit);", "static __attribute__((__used__)) DEFINE_MUTEX(limit);", true},
		{"static inline int f(void) { static int limit; return limit++; }", "static inline int f(void) { static __attribute__((__used__)) int limit; return limit++; }", true},
		{"static void f(void) { int limit; }", "", true},
		{"DEFINE_STATE(limit);", "", true},
		{"#define limit static", "", true},
		{"static int limits;", "", true},
		{"\tint limit = 3;", "", false},
	} {
		text := "int before;\n" + c.line + "\nint after;\n"
		marked, static := markUsed([]byte(text), 2, "limit")
		want := ""
		if c.want != "" {
			want = strings.Replace(text, c.line, c.want, 1)
		}
		if string(marked) != want || static != c.static {
			t.Errorf("%s: %q, %v", c.line, marked, static)
		}
	}
	for _, text := range []string{"static struct state\n\tlimit;\n", "#define M \\\n\tint limit;\n"} {
		if marked, static := markUsed([]byte(text), 2, "limit"); marked != nil || !static {
			t.Errorf("%q: %q, %v", text, marked, static)
		}
	}
	if marked, static := markUsed([]byte("static int limit;"), 7, "limit"); marked != nil || !static {
		t.Errorf("line 7 of 1: %q, %v", marked, static)
	}
}
