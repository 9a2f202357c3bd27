package rebuild

import (
	"strings"
	"testing"
)

// FuzzKbuildText reads what kbuild and compilers print and leave behind.
func FuzzKbuildText(f *testing.F) {
	f.Add("obj-y a.o b/\nobj-m m.o\npart-m m.o x.o y.o\nlib-y l.o\nsubdir s\nother o.o\nhostprogs h\n", "fs/a.o")
	f.Add("cmd_fs/a.o := gcc -Wp,-MMD,fs/.a.o.d -DX='\"y\"' -c -o fs/a.o /src/fs/a.c\n\nsource_fs/a.o := /src/fs/a.c\n\ndeps_fs/a.o := \\\n  /src/a.h \\\n    $(wildcard include/config/X) \\\n\n", "fs/a.o")
	f.Add("fs/a.o: /src/fs/a.c \\\n /src/a.h\n", "fs/a.o")
	f.Add("/src/fs/a.c: In function 'f':\n/src/fs/a.c:12:3: error: 'x' undeclared\nfatal error: linux/a.h: No such file or directory\nmake: *** [a.o] Error 1\n", "/src")
	f.Fuzz(func(t *testing.T, text, name string) {
		l := parseListing(text)
		ix := ownerIndex{}
		ix.add(folder{dir: "fs", builtin: true, modorder: true}, l, map[string]bool{"fs": true})
		for stem, list := range ix {
			for _, o := range list {
				if o.Kind == Invalid || o.Object == "" || strings.HasSuffix(stem, ".o.o") && !strings.Contains(text, ".o.o") {
					t.Fatalf("%q: %+v", stem, o)
				}
			}
		}
		l.below(folder{dir: "."})
		savedDeps(text, name)
		savedCommand(text, name)
		parseDepfile(text)
		firstError(text, name)
		missingHeader(text)
		lastWords(text)
	})
}
