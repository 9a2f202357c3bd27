package rebuild

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/pkgfmt"
)

// leave writes the files of a finished build, in whose texts BUILT stands for the folder's name when kbuild ran.
func leave(t testing.TB, files map[string]string) finished {
	t.Helper()
	f := finished{dir: t.TempDir(), was: "/var/built"}
	for name, text := range files {
		path := filepath.Join(f.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "BUILT", f.was)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// The files as Linux 5.10, 6.1 and 6.13 leave them.
func TestFinishedModules(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  []finishedModule
	}{
		{"5.10", map[string]string{"modules.order": "BUILT/a.ko\n", "a.mod": "BUILT/x.o BUILT/sub/y.o\nprintk kfree\n"},
			[]finishedModule{{"a.ko", []string{"x.o", "sub/y.o"}}}},
		{"6.1", map[string]string{"modules.order": "BUILT/sub/a.ko\nBUILT/b.ko\n", "sub/a.mod": "BUILT/sub/x.o\nBUILT/sub/y.o\n", "b.mod": "BUILT/b.o\n"},
			[]finishedModule{{"sub/a.ko", []string{"sub/x.o", "sub/y.o"}}, {"b.ko", []string{"b.o"}}}},
		{"6.13", map[string]string{"modules.order": "sub/a.o\n", "sub/a.mod": "sub/x.o\n"},
			[]finishedModule{{"sub/a.ko", []string{"sub/x.o"}}}},
		{"no module", map[string]string{"modules.order": ""}, nil},
		{"nothing built", nil, nil},
	} {
		got, err := leave(t, tc.files).modules()
		if err != nil || !slices.EqualFunc(got, tc.want, func(a, b finishedModule) bool { return a.KO == b.KO && slices.Equal(a.Objects, b.Objects) }) {
			t.Errorf("%s: got %v, %v, want %v", tc.name, got, err, tc.want)
		}
	}
}

func TestFinishedModulesRefused(t *testing.T) {
	for _, tc := range []struct{ order, mod, want string }{
		{"/elsewhere/a.ko\n", "", `modules.order": /elsewhere/a.ko, want modules of this folder`},
		{"../a.ko\n", "", `modules.order": ../a.ko, want modules of this folder`},
		{"BUILT/a\n", "", `modules.order": /var/built/a, want modules of this folder`},
		{"BUILT/none.ko\n", "", `none.mod": want the list of a module's objects`},
		{"BUILT/a.ko\n", "BUILT/../x.o\n", `a.mod": /var/built/../x.o, want objects of this folder`},
	} {
		_, err := leave(t, map[string]string{"modules.order": tc.order, "a.mod": tc.mod}).modules()
		var input *pkgfmt.InputError
		if !errors.As(err, &input) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got %v, want %s", tc.order, err, tc.want)
		}
	}
}

func TestFinishedUnit(t *testing.T) {
	f := leave(t, map[string]string{
		"sub/.x.o.cmd": `cmd_BUILT/sub/x.o := gcc -Wp,-MMD,BUILT/sub/.x.o.d -I/linux/include -IBUILT -I ./include -DN='"x"' -c -o BUILT/sub/x.o BUILT/sub/x.c ; ./tools/objtool BUILT/sub/x.o

source_BUILT/sub/x.o := BUILT/sub/x.c

deps_BUILT/sub/x.o := \
    $(wildcard include/config/X) \
  /linux/include/linux/kconfig.h \
  include/generated/autoconf.h \
  BUILT/sub/../x.h \

BUILT/sub/x.o: $(deps_BUILT/sub/x.o)
`,
		".y.o.cmd": "savedcmd_y.o := gcc -Wp,-MMD,./.y.o.d -I. -c -o y.o y.c\n\nsource_y.o := y.c\n\ndeps_y.o := \\\n  y.h \\\n",
		".z.o.cmd": "cmd_BUILT/z.o := cat BUILT/z.o_shipped > BUILT/z.o\n",
		".w.o.cmd": "cmd_BUILT/sub/w.o := true\n",
	})
	for _, tc := range []struct{ object, name, source, deps, words string }{
		{"sub/x.o", "/var/built/sub/x.o", "sub/x.c", "sub/x.c x.h", "gcc -I/linux/include -IDIR -I ./include -DN=\"x\" -c DIR/sub/x.c"},
		{"y.o", "y.o", "y.c", "y.c y.h", "gcc -I. -c y.c"},
		{"z.o", "/var/built/z.o", "", "", "command needs a shell"},
	} {
		u, err := f.unit(tc.object)
		if err != nil {
			t.Errorf("%s: %v", tc.object, err)
			continue
		}
		if u.Name != tc.name || u.Source != tc.source || strings.Join(u.Deps, " ") != tc.deps {
			t.Errorf("%s: got %q from %q and %q", tc.object, u.Name, u.Source, u.Deps)
		}
		inv, err := f.invocation(u)
		got := strings.ReplaceAll(strings.Join(inv.Words, " "), f.dir, "DIR")
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, tc.words) {
			t.Errorf("%s: got command %s, want %s", tc.object, got, tc.words)
		}
	}
	for object, want := range map[string]string{"w.o": "none of that name, want the command of w.o", "none.o": "want the command of an object, as kbuild leaves it"} {
		var input *pkgfmt.InputError
		if _, err := f.unit(object); !errors.As(err, &input) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", object, err, want)
		}
	}
}

func TestExternalOwners(t *testing.T) {
	x := &external{
		modules: []finishedModule{{"a-b.ko", []string{"x.o", "sub/y.o", "e.o"}}, {"sub/c.ko", []string{"sub/y.o"}}},
		read: map[string]*finishedUnit{"x.o": {Source: "x.c", Deps: []string{"all.h", "x.c"}}, "e.o": {Source: "e.S", Deps: []string{"e.S"}},
			"sub/y.o": {Source: "sub/y.c", Deps: []string{"all.h", "part.c", "sub/y.c"}}},
	}
	ownX := func(file string) Owner { return Owner{file, InModule, "x.o", "x.c", "a_b", "a-b.ko"} }
	ownY := func(file string) []Owner {
		return []Owner{{file, InModule, "sub/y.o", "sub/y.c", "a_b", "a-b.ko"}, {file, InModule, "sub/y.o", "sub/y.c", "c", "sub/c.ko"}}
	}
	for file, want := range map[string][]Owner{
		"x.c":         {ownX("x.c")},
		"sub/y.c":     ownY("sub/y.c"),
		"part.c":      ownY("part.c"), // included by another
		"all.h":       append([]Owner{ownX("all.h")}, ownY("all.h")...),
		"e.S":         {{File: "e.S", Kind: Assembly}},
		"new.c":       {{File: "new.c", Kind: NotBuilt}},
		"new.h":       {{File: "new.h", Kind: NotBuilt}},
		"tools/t.c":   {{File: "tools/t.c", Kind: NotBuilt}},
		"Kbuild":      {{File: "Kbuild", Kind: Makefile}},
		"sub/Kconfig": {{File: "sub/Kconfig", Kind: Kconfig}},
		"README":      {{File: "README", Kind: Documentation}},
	} {
		if got, err := x.ownersOf(t.Context(), file); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v, want %v", file, got, err, want)
		}
	}
}

func TestBuildFolder(t *testing.T) {
	files := []string{"main.c", "core/main.c", "core/core.h", "x.h"}
	for _, tc := range []struct {
		name string
		text []string
		want string
	}{
		{"one file", []string{"hello\n", "/var/lib/dkms/m/1/build/main.c"}, "/var/lib/dkms/m/1/build"},
		{"the longest name counts", []string{"/b/core/main.c", "/b/main.c"}, "/b"},
		{"a folder and back", []string{"/b/core/../x.h"}, "/b"},
		{"none", []string{"main.c", "./core/main.c", "/b/other.c", "/b/xmain.c"}, ""},
		{"two folders", []string{"/b/main.c", "/c/x.h"}, ""},
	} {
		if got := buildFolder(tc.text, files); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// FuzzFinished reads files of a finished build with anything in them.
func FuzzFinished(f *testing.F) {
	f.Add("BUILT/a.ko\n", "BUILT/a.o\n", "cmd_BUILT/a.o := gcc -c -o BUILT/a.o BUILT/a.c ; objtool\n\nsource_BUILT/a.o := BUILT/a.c\n\ndeps_BUILT/a.o := \\\n  BUILT/a.h \\\n")
	f.Add("a.o\n", "a.o\n", "savedcmd_a.o := gcc -c -o a.o a.c\nsource_a.o := a.c\n")
	f.Fuzz(func(t *testing.T, order, mod, cmd string) {
		b := leave(t, map[string]string{"modules.order": order, "a.mod": mod, ".a.o.cmd": cmd})
		modules, err := b.modules()
		if err != nil {
			return
		}
		for _, m := range modules {
			for _, o := range append([]string{m.KO}, m.Objects...) {
				if !filepath.IsLocal(o) {
					t.Errorf("%q is not in the folder", o)
				}
			}
		}
		u, err := b.unit("a.o")
		if err != nil {
			return
		}
		for _, d := range u.Deps {
			if !filepath.IsLocal(d) {
				t.Errorf("%q is not in the folder", d)
			}
		}
		b.invocation(u)
	})
}
