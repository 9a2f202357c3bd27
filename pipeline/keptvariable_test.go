package pipeline

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/kmod/diff"
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

// TestKeep: what the declaration does not tell is marked at the end of the unit, if it is of file scope.
func TestKeep(t *testing.T) {
	tree := t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "unit.c"), []byte("STATE(limit);\nint f(void) { int sum = 1; MAKE(last); return 0; }\nint g(void)\n{\n\tint other;\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		v          diff.LostVariable
		kept       bool
		added      string // at the end of the unit
		notDropped bool
	}{
		{diff.LostVariable{Name: "limit", File: tree + "/unit.c", Line: 1}, true, "\n#undef limit\nstatic __typeof__(limit) limit __attribute__((__used__));\n", true},
		{diff.LostVariable{Name: "limit", File: tree + "/include/other.h", Line: 1}, true, "\n#undef limit\nstatic __typeof__(limit) limit __attribute__((__used__));\n", true},
		{diff.LostVariable{Name: "last", Function: "f", File: tree + "/unit.c", Line: 2}, false, "", true},
		{diff.LostVariable{Name: "other", Function: "g", File: tree + "/unit.c", Line: 5}, false, "", false},
		{diff.LostVariable{Name: "other", Function: "g"}, false, "", true},
	} {
		k := &keeper{tree: tree, unit: "unit.c", files: map[string][]byte{"other.c": nil}, dropped: map[[2]string]bool{}}
		before := maps.Clone(k.files)
		kept := k.keep(c.v)
		text := string(k.files["unit.c"])
		if kept != c.kept || kept != strings.HasSuffix(text, c.added) && kept || !kept && len(k.files) != len(before) || k.dropped[[2]string{c.v.Function, c.v.Name}] == c.notDropped {
			t.Errorf("%+v: %v, %q, %v", c.v, kept, text, k.dropped)
		}
	}
	k := &keeper{tree: tree, unit: "made.c", files: map[string][]byte{}, dropped: map[[2]string]bool{}}
	if k.keep(diff.LostVariable{Name: "limit"}) || len(k.files) > 0 {
		t.Errorf("a source that is not there: %v", k.files)
	}
}
