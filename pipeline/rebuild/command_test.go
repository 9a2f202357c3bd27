package rebuild

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"livesplice/pipeline/process"
)

func TestSavedCommand(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		want       []string
		wantErr    string
	}{
		{"6.1, objtool behind", `cmd_fs/a.o := gcc-12 -Wp,-MMD,fs/.a.o.d -DKBUILD_MODFILE='"fs/a"' -c -o fs/a.o /src/fs/a.c   ; ./tools/objtool/objtool --orc fs/a.o`,
			[]string{"gcc-12", "-Wp,-MMD,fs/.a.o.d", `-DKBUILD_MODFILE="fs/a"`, "-c", "-o", "fs/a.o", "/src/fs/a.c"}, ""},
		{"6.3 and newer", "savedcmd_fs/a.o := gcc -c -o fs/a.o a.c", []string{"gcc", "-c", "-o", "fs/a.o", "a.c"}, ""},
		{"what make escapes", `cmd_fs/a.o := gcc -DX=\$$1 -DY='$(pound)' a.c`, []string{"gcc", "-DX=$1", "-DY=#", "a.c"}, ""},
		{"an empty word", `cmd_fs/a.o := gcc '' "a b" a.c`, []string{"gcc", "", "a b", "a.c"}, ""},
		{"a pipe", "cmd_fs/a.o := gcc -E a.c | sed s/a/b/", nil, `command needs a shell: '|' in "gcc -E a.c | sed s/a/b/"`},
		{"a variable", `cmd_fs/a.o := gcc "$$HOME"`, nil, `command needs a shell: '$' in quotes`},
		{"open quotes", "cmd_fs/a.o := gcc 'a.c", nil, "command with quotes that do not end"},
		{"another object", "cmd_fs/b.o := gcc a.c", nil, `no command of "fs/a.o" in its .cmd file`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := savedCommand("\n"+tc.file+"\n\nsource_fs/a.o := /src/fs/a.c\n", "fs/a.o")
			if !slices.Equal(got, tc.want) || (err == nil) != (tc.wantErr == "") || err != nil && err.Error() != tc.wantErr {
				t.Errorf("got %q, %v\nwant %q, %s", got, err, tc.want, tc.wantErr)
			}
		})
	}
}

func TestSavedDeps(t *testing.T) {
	text := "cmd_fs/a.o := gcc\n\nsource_fs/a.o := /src/fs/a.c\n\ndeps_fs/a.o := \\\n  /src/include/b.h \\\n    $(wildcard include/config/SMP) \\\n  include/generated/c.h \\\n\nfs/a.o: $(deps_fs/a.o)\n"
	want := []string{"/src/fs/a.c", "/src/include/b.h", "include/generated/c.h"}
	if got := savedDeps(text, "fs/a.o"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzShellWords compares with the shell itself: a command that shellWords takes means to sh what it means to us.
func FuzzShellWords(f *testing.F) {
	f.Add(`gcc -DA='"x"' "a\"b" c\ d ''`)
	f.Add("a;b")
	f.Add(`a#b #c ~ x~`)
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\x00\n\r") || len(s) > 200 {
			return
		}
		for _, r := range s {
			if r >= 0x80 {
				return
			}
		}
		words, err := shellWords(s)
		if err != nil || len(words) == 0 {
			return
		}
		upTo, _, _ := strings.Cut(s, ";")
		if upTo != s { // only the first command counts, and quotes may hold a `;`
			return
		}
		res, err := process.Run(t.Context(), process.Cmd{Path: "sh", Args: []string{"-c", "printf '%s\\0' " + s}})
		if err != nil {
			t.Fatalf("sh does not take %q: %v", s, err)
		}
		theirs := strings.Split(string(bytes.TrimSuffix(res.Stdout, []byte{0})), "\x00")
		if !slices.Equal(words, theirs) {
			t.Errorf("%q: %q, sh says %q", s, words, theirs)
		}
	})
}

func TestNewInvocation(t *testing.T) {
	inv, err := newInvocation([]string{"gcc", "-Wp,-MMD,fs/.a.o.d", "-c", "-o", "fs/a.o", "/src/fs/a.c"}, "fs/a.o")
	if err != nil || inv.Input != "/src/fs/a.c" || !slices.Equal(inv.Words, []string{"gcc", "-c", "/src/fs/a.c"}) {
		t.Errorf("got %+v, %v", inv, err)
	}
	for _, bad := range [][]string{{"gcc", "-c", "a.c"}, {"gcc", "-c", "-o", "b.o", "a.c"}, {"gcc", "-c", "-o", "fs/a.o", "a.s"}, nil} {
		if _, err := newInvocation(bad, "fs/a.o"); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestMoved(t *testing.T) {
	for word, want := range map[string]string{
		"-I/src/include":            "-I/ov/include",
		"-fmacro-prefix-map=/src/=": "-fmacro-prefix-map=/ov/=",
		"/src":                      "/ov",
		"-I":                        "-I",
		"-I/src2/include":           "-I/src2/include",
		"/src/drivers/src/a.c":      "/ov/drivers/src/a.c",
		"/src/src/a.c":              "/ov/src/a.c",
		"-I./drivers/src/include":   "-I./drivers/src/include",
		"drivers/src":               "drivers/src",
		"-Wp,-MMD,/src/a.d":         "-Wp,-MMD,/ov/a.d",
		"-DFILE=\"/src/a.c\"":       "-DFILE=\"/ov/a.c\"",
		"-fx=/src/a:/src":           "-fx=/ov/a:/ov",
	} {
		if got := moved(word, "/src", "/ov"); got != want {
			t.Errorf("%s: got %s, want %s", word, got, want)
		}
	}
}
