package process

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRootThatIsNone(t *testing.T) {
	empty, odd := t.TempDir(), filepath.Join(t.TempDir(), "a:b")
	for _, d := range []string{"tmp", "usr/bin"} {
		if err := os.MkdirAll(filepath.Join(odd, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ dir, want string }{
		{empty, `want the root of another release, with a folder "/tmp"`},
		{"/nonexistent", `folder "/nonexistent": want the root of another release`},
		{odd, "a path with a colon, comma or backslash cannot be used as a root"},
	} {
		if err := (&Root{Dir: tc.dir}).Check(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v\nwant %s", tc.dir, err, tc.want)
		}
	}
}

// TestRootWithoutPrograms enters a root in which there is nothing to run.
func TestRootWithoutPrograms(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"tmp", "usr/bin"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root := &Root{Dir: dir, Shared: []string{t.TempDir()}}
	want := `root "` + dir + `": program "gcc-99" is not installed (Debian package gcc-99)`
	if _, err := Run(t.Context(), Cmd{Path: "gcc-99", Root: root}); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	left, err := os.ReadDir(filepath.Join(dir, "tmp"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in /tmp: %v, %v", left, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left in /: %v, %v", entries, err)
	}
}

func TestRootWrap(t *testing.T) {
	t.Setenv("TMPDIR", "/somewhere")
	t.Setenv("PATH", "/opt/tools")
	r := &Root{Dir: "/roots/x", Shared: []string{"/cache"}, Read: []string{"/src"}}
	c := r.wrap(Cmd{Path: "make", Args: []string{"-j2", "O=/cache/a b"}, Dir: "/cache/obj", Env: Env("A=1")})
	i := slices.Index(c.Args, "enter")
	if want := []string{"enter", "/roots/x", "/cache/obj", "rw", "/cache", "ro", "/src", "--", "make", "-j2", "O=/cache/a b"}; c.Path != "unshare" || i < 0 || !slices.Equal(c.Args[i:], want) {
		t.Errorf("%s %q, want at its end %q", c.Path, c.Args, want)
	}
	for _, kv := range c.Env {
		if strings.HasPrefix(kv, "TMPDIR=") || strings.HasPrefix(kv, "PATH=") && kv != "PATH="+rootPath {
			t.Errorf("%s is passed on", kv)
		}
	}
	if !slices.Contains(c.Env, "A=1") || c.Root != nil || c.Dir != "" {
		t.Errorf("%+v", c)
	}
}

func TestPackageOfProgram(t *testing.T) {
	for program, want := range map[string]string{"x86_64-linux-gnu-gcc-14": "gcc-14", "/usr/bin/gcc-12": "gcc-12", "clang-16": "clang-16", "gcc": "gcc", "x86_64-linux-gnu-gcc": ""} {
		if got := Package(program); got != want {
			t.Errorf("%s: package %q, want %q", program, got, want)
		}
	}
}
