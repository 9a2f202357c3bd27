package diff_test

import (
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit/objtest"
)

// TestWrites: more than reads of a variable is a write, and so is that it is not there.
func TestWrites(t *testing.T) {
	for _, c := range []struct {
		name, text, function string
		want                 bool
	}{
		{"read only", "static int n __attribute__((__used__)) = 5; int get(int i) { return source(i + n); }", "", false},
		{"read as a member", "static struct { int a, b; } n __attribute__((__used__)); int get(int i) { return source(i + n.b); }", "", false},
		{"stored", "static int n __attribute__((__used__)) = 5; int set(int i) { n = i; return source(i); }", "", true},
		{"added to", "static int n __attribute__((__used__)) = 5; int set(int i) { n += i; return source(i); }", "", true},
		{"its address", "static int n __attribute__((__used__)) = 5; int *where(void) { return &n; }", "", true},
		{"its address in data", "static int n __attribute__((__used__)) = 5; int *where = &n;", "", true},
		{"local, read only", "int get(int i) { static int n __attribute__((__used__)) = 5; return source(i + n); }", "get", false},
		{"local, stored", "int set(int i) { static int n __attribute__((__used__)) = 5; n = i; return source(i); }", "set", true},
		{"of another function", "int get(int i) { static int n __attribute__((__used__)) = 5; return source(i + n); }", "set", true},
	} {
		got, err := diff.Writes(objtest.Text(t, "#include \"kernel.h\"\n"+c.text+"\n", "-g"), c.function, "n")
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}
