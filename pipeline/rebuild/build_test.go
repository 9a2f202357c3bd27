package rebuild

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"livesplice/pipeline/cache"
	"livesplice/pkgfmt"
)

// builtFiles are what a build leaves in its O= folder; SRC stands for the source folder. compiled makes the .cmd file of an object.
func compiled(object, source string, deps ...string) string {
	return "cmd_" + object + " := gcc -Wp,-MMD,x.d -D__KERNEL__ -c -o " + object + " " + source + " ; objtool\n\nsource_" + object + " := " + source +
		"\n\ndeps_" + object + " := \\\n    $(wildcard include/config/X) \\\n  " + strings.Join(deps, " \\\n  ") + " \\\n\n"
}

var builtFiles = map[string]string{
	"fs/.open.o.cmd":                            compiled("fs/open.o", "SRC/fs/open.c", "SRC/include/linux/fs.h", "SRC/fs/part.c", "include/generated/autoconf.h", "SRC/include/asm-generic/wrap.h"),
	"fs/.both.o.cmd":                            compiled("fs/both.o", "SRC/fs/both.c", "SRC/include/linux/fs.h"),
	"fs/.m1.o.cmd":                              compiled("fs/m1.o", "SRC/fs/m1.c", "SRC/include/uapi/linux/only.h", "SRC/fs/../include/linux/fs.h"),
	"fs/.entry.o.cmd":                           compiled("fs/entry.o", "SRC/fs/entry.S", "SRC/include/linux/fs.h"),
	"fs/.tables.o.cmd":                          compiled("fs/tables.o", "fs/tables.c", "SRC/include/linux/fs.h"),
	"virt/.far.o.cmd":                           compiled("fs/../virt/far.o", "SRC/fs/../virt/far.c", "SRC/include/linux/fs.h"),
	"fs/.built-in.a.cmd":                        "cmd_fs/built-in.a := rm -f fs/built-in.a;  printf \"fs/%s \" open.o both.o entry.o tables.o sub/built-in.a ../virt/far.o | xargs ar cDPrST fs/built-in.a\n",
	"fs/sub/.built-in.a.cmd":                    "cmd_fs/sub/built-in.a := rm -f fs/sub/built-in.a; ar cDPrST fs/sub/built-in.a\n",
	"lib/.l.o.cmd":                              compiled("lib/l.o", "SRC/lib/l.c", "SRC/include/linux/fs.h"),
	"lib/.lib.a.cmd":                            "cmd_lib/lib.a := rm -f lib/lib.a; ar cDPrsT lib/lib.a lib/l.o\n",
	"drivers/firmware/efi/libstub/.s.o.cmd":     compiled("drivers/firmware/efi/libstub/s.o", "SRC/drivers/firmware/efi/libstub/s.c", "SRC/include/linux/fs.h"),
	"drivers/firmware/efi/libstub/.lib.a.cmd":   "cmd_drivers/firmware/efi/libstub/lib.a := rm -f x; ar cDPrsT drivers/firmware/efi/libstub/lib.a drivers/firmware/efi/libstub/s.o\n",
	"fs/.m.mod.o.cmd":                           compiled("fs/m.mod.o", "fs/m.mod.c", "SRC/include/linux/fs.h"),
	"..vmlinux.export.o.cmd":                    compiled(".vmlinux.export.o", ".vmlinux.export.c", "SRC/include/linux/fs.h"),
	"fs/.m.ko.cmd":                              "cmd_fs/m.ko := ld -r -T SRC/include/linux/fs.h -o fs/m.ko fs/m.o fs/m.mod.o\n",
	"kernel/.bounds.s.cmd":                      strings.Replace(compiled("kernel/bounds.s", "SRC/kernel/bounds.c", "SRC/include/linux/fs.h"), " -c ", " -S ", 1),
	"scripts/.gen.cmd":                          "cmd_scripts/gen := gcc -Wp,-MMD,x.d -o scripts/gen SRC/scripts/gen.c\n\nsource_scripts/gen := SRC/scripts/gen.c\n\ndeps_scripts/gen := \\\n  /usr/include/stdio.h \\\n  SRC/include/linux/tool.h \\\n\n",
	"arch/x86/include/generated/asm/.sys.h.cmd": "cmd_arch/x86/include/generated/asm/sys.h := sh SRC/scripts/sys.sh --abis common,64 SRC/arch/x86/entry/sys.tbl  arch/x86/include/generated/asm/sys.h\n",
	"fs/.gone.o.cmd":                            compiled("fs/gone.o", "SRC/fs/gone.c", "SRC/include/linux/fs.h"), // of a source that is no more
	"usr/include/linux/.only.h.cmd":             "cmd_usr/include/linux/only.h := sh SRC/scripts/headers_install.sh SRC/include/uapi/linux/only.h usr/include/linux/only.h\n",
	"tools/objtool/.x.o.cmd":                    "cmd_/elsewhere/x.o := gcc\n",
	"fs/.m.mod.cmd":                             "cmd_fs/m.mod := echo fs/m1.o fs/both.o\n",
	"fs/.other.cmd":                             "not kbuild's\n",
	"modules.order":                             "fs/m.ko\nfs/n.ko\n",
	"fs/m.mod":                                  "fs/m1.o\nfs/both.o\n",
	"fs/n.mod":                                  "fs/m1.o\n",
}

var builtSource = []string{"fs/open.c", "fs/both.c", "fs/m1.c", "fs/entry.S", "fs/part.c", "virt/far.c", "lib/l.c", "include/linux/fs.h", "include/linux/tool.h", "include/uapi/linux/only.h",
	"drivers/firmware/efi/libstub/s.c", "arch/x86/entry/sys.tbl", "kernel/bounds.c", "scripts/gen.c", "include/uapi/linux/capability.h", "include/asm-generic/wrap.h", "fs/notes.xyz"}

// fakeBuild is a finished build in a folder object below or beside its source.
func fakeBuild(t *testing.T, src, object string) *build {
	t.Helper()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range builtSource {
		write(filepath.Join(src, s), "\n")
	}
	write(filepath.Join(src, "fs/Makefile"), "$(obj)/names.h : $(srctree)/include/uapi/linux/capability.h\n\t$(call cmd,names)\n")
	for name, text := range builtFiles {
		write(filepath.Join(object, name), strings.ReplaceAll(text, "SRC", src))
		if base, ok := strings.CutSuffix(name, ".o.cmd"); ok {
			write(filepath.Join(object, filepath.Dir(base), filepath.Base(base)[1:]+".o"), "")
		}
	}
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &build{Tree: &Tree{Source: src, Object: object, cache: c}, finished: finished{dir: object, was: object}, stats: map[string]fileStat{}, checked: map[string]error{"gcc": nil}}
	b.units = b
	if b.users, err = openUsers(t.Context(), c, b.finished, src, 2); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOwnersOfABuild(t *testing.T) {
	top := t.TempDir()
	b := fakeBuild(t, filepath.Join(top, "src"), filepath.Join(top, "obj"))
	open := Owner{Kind: BuiltIn, Unit: "fs/open.o", Source: "fs/open.c", Target: "vmlinux"}
	both := []Owner{{Kind: BuiltIn, Unit: "fs/both.o", Source: "fs/both.c", Target: "vmlinux"}, {Kind: InModule, Unit: "fs/both.o", Source: "fs/both.c", Target: "m", Module: "fs/m.ko"}}
	m1 := []Owner{{Kind: InModule, Unit: "fs/m1.o", Source: "fs/m1.c", Target: "m", Module: "fs/m.ko"}, {Kind: InModule, Unit: "fs/m1.o", Source: "fs/m1.c", Target: "n", Module: "fs/n.ko"}}
	far := Owner{Kind: BuiltIn, Unit: "fs/../virt/far.o", Source: "virt/far.c", Target: "vmlinux"}
	lib := Owner{Kind: Library, Unit: "lib/l.o", Source: "lib/l.c", Target: "vmlinux"}
	stub := Owner{Kind: Separate, Unit: "drivers/firmware/efi/libstub/s.o", Source: "drivers/firmware/efi/libstub/s.c"}
	entry := Owner{Kind: Assembly, Unit: "fs/entry.o", Source: "fs/entry.S"}
	tables := Owner{Kind: BuiltIn, Unit: "fs/tables.o", Source: "fs/tables.c", Target: "vmlinux"}
	bounds := Owner{Kind: Generated, Unit: "kernel/bounds.s", Source: "kernel/bounds.c"}
	all := func(lists ...[]Owner) []Owner { return slices.Concat(lists...) }
	for _, tc := range []struct {
		file string
		want []Owner // without File
	}{
		{"fs/open.c", []Owner{open}},
		{"fs/part.c", []Owner{open}},
		{"fs/both.c", both},
		{"fs/m1.c", m1},
		{"virt/far.c", []Owner{far}},
		{"lib/l.c", []Owner{lib}},
		{"fs/entry.S", []Owner{entry}},
		{"drivers/firmware/efi/libstub/s.c", []Owner{stub}},
		// Everything that reads it, but for what modpost makes and what is linked with it on the command line.
		{"include/linux/fs.h", all([]Owner{stub, far}, both, []Owner{entry}, m1, []Owner{open, tables, bounds, lib})},
		{"kernel/bounds.c", []Owner{bounds}},
		{"arch/x86/entry/sys.tbl", []Owner{{Kind: Generated, Unit: "arch/x86/include/generated/asm/sys.h"}}},
		{"include/linux/tool.h", []Owner{{Kind: Generated, Unit: "scripts/gen", Source: "scripts/gen.c"}}},
		{"include/uapi/linux/capability.h", []Owner{{Kind: Generated, Source: "fs/Makefile"}}},
		{"fs/notes.xyz", []Owner{{Kind: Generated, Source: "fs/Makefile"}}},
		{"arch/arm/boot/dts/x.dts", []Owner{{Kind: Other}}},
		// Not the copy that programs get, which make bindeb-pkg leaves in usr/include.
		{"include/uapi/linux/only.h", m1},
		// A new header in front of one that is read.
		{"include/linux/only.h", m1},
		{"arch/x86/include/asm/wrap.h", []Owner{open}},
		{"include/linux/none.h", []Owner{{Kind: NotBuilt}}},
		{"fs/new.c", []Owner{{Kind: NotBuilt}}},
		{"arch/x86/boot/new.c", []Owner{{Kind: Separate}}},
		{"fs/Kconfig", []Owner{{Kind: Kconfig}}},
		{"fs/Makefile", []Owner{{Kind: Makefile}}},
		{".config", []Owner{{Kind: Kconfig}}},
		{"include/generated/autoconf.h", []Owner{{Kind: Kconfig}}},
		{"kernel/bounds.s", []Owner{{Kind: Makefile}}},
		{"Documentation/x.rst", []Owner{{Kind: Documentation}}},
		{"tools/x.c", []Owner{{Kind: Separate}}},
	} {
		for i := range tc.want {
			tc.want[i].File = tc.file
		}
		got, err := b.Owner(t.Context(), []string{tc.file})
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", tc.file, got, err, tc.want)
		}
	}
}

// TestBuildInPlace has the objects among the source.
func TestBuildInPlace(t *testing.T) {
	dir := t.TempDir()
	b := fakeBuild(t, dir, dir)
	got, err := b.Owner(t.Context(), []string{"fs/part.c"})
	if want := []Owner{{File: "fs/part.c", Kind: BuiltIn, Unit: "fs/open.o", Source: "fs/open.c", Target: "vmlinux"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestIncompleteBuild refuses a tree that does not say of everything in it what it was made from: a header's units would be missed.
func TestIncompleteBuild(t *testing.T) {
	for _, tc := range []struct {
		name, gone, missing string
	}{
		{"all is there", "", ""},
		{"a unit of vmlinux", "fs/.open.o.cmd", "fs/open.o"},
		{"one from another folder", "virt/.far.o.cmd", "virt/far.o"},
		{"one of a library", "lib/.l.o.cmd", "lib/l.o"},
		{"one of a module", "fs/.m1.o.cmd", "fs/m1.o"},
		{"a folder", "fs/sub/.built-in.a.cmd", "fs/sub/built-in.a"},
	} {
		top := t.TempDir()
		b := fakeBuild(t, filepath.Join(top, "src"), filepath.Join(top, "obj"))
		if tc.gone != "" {
			if err := os.Remove(filepath.Join(b.Object, tc.gone)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := openUsers(t.Context(), b.cache, b.finished, b.Source, 2)
		var input *pkgfmt.InputError
		if tc.missing == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if !errors.As(err, &input) || !strings.Contains(err.Error(), "no .cmd file of "+tc.missing+": a part of it was cleaned") {
			t.Errorf("%s: %v", tc.name, err)
		}
		shipped := filepath.Join(b.Source, tc.missing+"_shipped")
		if err := os.MkdirAll(filepath.Dir(shipped), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(shipped, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := openUsers(t.Context(), b.cache, b.finished, b.Source, 2); err != nil {
			t.Errorf("%s, shipped by the source: %v", tc.name, err)
		}
	}
}

// TestUsersAreReadOnce changes .cmd files behind the index: only a new time or size has it made again.
func TestUsersAreReadOnce(t *testing.T) {
	top := t.TempDir()
	b := fakeBuild(t, filepath.Join(top, "src"), filepath.Join(top, "obj"))
	file := filepath.Join(b.Object, "fs/.open.o.cmd")
	st, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(builtFiles["fs/.open.o.cmd"], "SRC", b.Source)
	change := func(when time.Time) []string {
		changed := strings.Replace(text, "fs/part.c", "fs/both.c", 1)
		if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
		ix, err := openUsers(t.Context(), b.cache, b.finished, b.Source, 2)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		made, err := ix.of("fs/part.c")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range made {
			names = append(names, m.Name)
		}
		return names
	}
	if got := change(st.ModTime()); !slices.Equal(got, []string{"fs/open.o"}) {
		t.Errorf("the same size and time: got %q", got)
	}
	if got := change(st.ModTime().Add(time.Nanosecond)); len(got) != 0 {
		t.Errorf("another time: got %q", got)
	}
}

// TestContentKey has another key for each change of what a unit is made from, and none for a file changed after the build.
func TestContentKey(t *testing.T) {
	top := t.TempDir()
	b := fakeBuild(t, filepath.Join(top, "src"), filepath.Join(top, "obj"))
	if err := os.MkdirAll(filepath.Join(b.Object, "include/generated"), 0o755); err != nil {
		t.Fatal(err)
	}
	generated := filepath.Join(b.Object, "include/generated/autoconf.h")
	if err := os.WriteFile(generated, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	key := func() (string, error) {
		clear(b.stats)
		r, _, err := b.load(t.Context(), "fs/open.o")
		if err != nil {
			return "", err
		}
		return r.key, nil
	}
	if err := os.Chtimes(filepath.Join(b.Object, "fs/open.o"), later, later); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, file := range []string{generated, filepath.Join(b.Source, "fs/part.c"), filepath.Join(b.Source, "include/linux/fs.h")} {
		if err := os.WriteFile(file, []byte("changed\n\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		k, err := key()
		if err != nil {
			t.Fatal(err)
		}
		keys[k] = true
	}
	if again, err := key(); err != nil || len(keys) != 3 || !keys[again] {
		t.Errorf("%d keys, want 3, and the last one again: %v", len(slices.Collect(maps.Keys(keys))), err)
	}
	late := later.Add(time.Minute)
	if err := os.Chtimes(generated, late, late); err != nil {
		t.Fatal(err)
	}
	if _, err := key(); err != nil {
		t.Errorf("a younger generated header: %v", err)
	}
	if err := os.Chtimes(filepath.Join(b.Source, "fs/part.c"), late, late); err != nil {
		t.Fatal(err)
	}
	var mismatch *pkgfmt.MismatchError
	if _, err := key(); !errors.As(err, &mismatch) || !strings.Contains(err.Error(), `part.c": a file changed after fs/open.o was compiled`) {
		t.Errorf("a source file changed after the build: %v", err)
	}
}

func TestFindSource(t *testing.T) {
	top := t.TempDir()
	if real, err := filepath.EvalSymlinks(top); err != nil || real != top {
		t.Fatal(real, err)
	}
	for _, name := range []string{"src/Kbuild", "src/scripts/Makefile.build", "place/.config", "place/Kbuild", "place/scripts/Makefile.build", "link/.config", "make/.config", "src/sub/.config",
		"none/.config", "gone/.config", "src/x", "empty/x"} {
		name = filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"link/source": "../src", "src/sub/source": "..", "to": "link"} {
		if err := os.Symlink(target, filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"make": "# Automatically generated by Makefile: don't edit\nexport KBUILD_OUTPUT = .\ninclude " + top + "/src/Makefile\n", "gone": "include /nowhere/Makefile\n"} {
		if err := os.WriteFile(filepath.Join(top, name, "Makefile"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ dir, object, source, err string }{
		{"place", "place", "place", ""},
		{"link", "link", "src", ""},
		{"to", "link", "src", ""},
		{"src/sub", "src/sub", "src", ""},
		{"make", "make", "src", ""},
		{"none", "", "", "a folder without a link `source` or a Makefile to its source"},
		{"gone", "", "", "a build whose source is gone"},
		{"empty", "", "", "a folder without a .config"},
		{"nowhere", "", "", "no such file"},
	} {
		object, source, err := FindSource(filepath.Join(top, tc.dir))
		switch {
		case tc.err != "":
			var input *pkgfmt.InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: got %v, want %s", tc.dir, err, tc.err)
			}
		case err != nil || object != filepath.Join(top, tc.object) || source != filepath.Join(top, tc.source):
			t.Errorf("%s: got %s, %s, %v", tc.dir, object, source, err)
		}
	}
}
