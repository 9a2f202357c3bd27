package rebuild

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"livesplice/pipeline/cache"
)

// fakeTree writes files and makes a Tree of them that has make, but no kernel.
func fakeTree(t *testing.T, files map[string]string) *prepared {
	t.Helper()
	src, obj := t.TempDir(), t.TempDir()
	for name, text := range files {
		path := filepath.Join(src, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &prepared{Tree: &Tree{Source: src, Object: obj, Key: "fake", cache: c, jobs: 2},
		env: []string{"PATH=" + os.Getenv("PATH"), "srctree=" + src, "ARCH_LIB=lib/", "CONFIG_ON=y", "CONFIG_MOD=m", "KVER=6"}}
}

func TestOwnersOfAFakeTree(t *testing.T) {
	tree := fakeTree(t, map[string]string{
		"scripts/Kbuild.include": "",
		"Kbuild":                 "obj-y += a/ $(ARCH_LIB)\nobj-$(CONFIG_MOD) += m/\nobj-$(CONFIG_OFF) += off/\nsubdir-y += own\nhostprogs := gen\n",
		// A composite that is built in, one as a module, an object that is both, one that is off, and a name that is computed.
		"a/Makefile": "obj-y := one.o multi.o both.o $(if $(CONFIG_ON),if.o)\nmulti-y := p.o sub/q.o\nmulti-$(CONFIG_OFF) += r.o\n" +
			"obj-m := single.o comp-x.o both.o\ncomp-x-objs := s.o ../b/shared.o\ncomp-x-$(CONFIG_ON) += v$(KVER).o\n" +
			"obj-$(CONFIG_OFF) += off.o\nextra-y := head.o\nalways-y := gen.h\n",
		"a/Kconfig": "",
		"m/Kbuild":  "obj-y := lost.o\nobj-m := mod.o below/\nifdef CONFIG_OFF\nobj-m += never.o\nendif\n", "m/Makefile": "$(error Kbuild goes first)\n",
		"m/below/Makefile": "obj-m := low.o\nobj-y += noway.o\n",
		"lib/Makefile":     "lib-y := l.o\nobj-y := lo.o\n",
		"own/Makefile":     "obj-m := nomod.o\nobj-y := noobj.o\nlib-y := stub.o\n",
	})
	ix, err := tree.owners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := ownerIndex{
		"a/one":       {{Object: "a/one.o", Kind: BuiltIn}},
		"a/p":         {{Object: "a/p.o", Kind: BuiltIn}},
		"a/sub/q":     {{Object: "a/sub/q.o", Kind: BuiltIn}},
		"a/both":      {{Object: "a/both.o", Kind: BuiltIn}},
		"a/if":        {{Object: "a/if.o", Kind: BuiltIn}},
		"a/single":    {{Object: "a/single.o", Kind: InModule, Module: "a/single.ko"}},
		"a/s":         {{Object: "a/s.o", Kind: InModule, Module: "a/comp-x.ko"}},
		"b/shared":    {{Object: "a/../b/shared.o", Kind: InModule, Module: "a/comp-x.ko"}},
		"a/v6":        {{Object: "a/v6.o", Kind: InModule, Module: "a/comp-x.ko"}},
		"a/head":      {{Object: "a/head.o", Kind: Separate}},
		"gen":         {{Object: "gen.o", Kind: Separate}},
		"m/mod":       {{Object: "m/mod.o", Kind: InModule, Module: "m/mod.ko"}},
		"m/lost":      {{Object: "m/lost.o", Kind: Separate}},
		"m/below/low": {{Object: "m/below/low.o", Kind: InModule, Module: "m/below/low.ko"}},
		// obj-y below a folder that is a module's is linked nowhere.
		"m/below/noway": {{Object: "m/below/noway.o", Kind: Separate}},
		"lib/l":         {{Object: "lib/l.o", Kind: Library}},
		"lib/lo":        {{Object: "lib/lo.o", Kind: BuiltIn}},
		"own/noobj":     {{Object: "own/noobj.o", Kind: Separate}},
		"own/stub":      {{Object: "own/stub.o", Kind: Separate}},
	}
	for stem, w := range want {
		if !slices.Equal(ix[stem], w) {
			t.Errorf("%s: got %+v, want %+v", stem, ix[stem], w)
		}
	}
	for _, stem := range slices.Sorted(maps.Keys(ix)) {
		if _, ok := want[stem]; !ok {
			t.Errorf("%s: got %+v, want nothing", stem, ix[stem])
		}
	}
	if left, err := os.ReadDir(tree.Object); err != nil || len(left) != 0 {
		t.Errorf("left in the build folder: %v, %v", left, err)
	}
}

func TestUnreadableFolderIsNamed(t *testing.T) {
	tree := fakeTree(t, map[string]string{"scripts/Kbuild.include": "", "Kbuild": "obj-y += gone/\n"})
	_, err := tree.owners(t.Context())
	if err == nil || err.Error()[:15] != `folder "gone": ` {
		t.Errorf("got %v, want the folder's name", err)
	}
}

// TestTopsBefore61 has the list of the top Makefile, which Linux had until 6.1.
func TestTopsBefore61(t *testing.T) {
	tree := &prepared{env: []string{"KBUILD_VMLINUX_OBJS=arch/x86/kernel/head_64.o init/built-in.a fs/built-in.a lib/built-in.a", "KBUILD_VMLINUX_LIBS=lib/lib.a arch/x86/lib/lib.a"}}
	wave, libs := tree.tops()
	want := []folder{{".", true, true}, {"init", true, true}, {"fs", true, true}, {"lib", true, true}, {"lib", true, true}, {"arch/x86/lib", true, true}}
	if !slices.Equal(wave, want) || !maps.Equal(libs, map[string]bool{"lib": true, "arch/x86/lib": true}) {
		t.Errorf("got %v and %v", wave, libs)
	}
}

func TestScanIncludes(t *testing.T) {
	tree := fakeTree(t, map[string]string{
		"k/all.c": "#include \"part.c\"\n#  include \"../x/far.c\" // why\n/* #include \"no.c\" */\n#include <linux/lib.c>\n", "k/part.c": "#include \"deep.c\"\n", "k/deep.c": "",
		"x/far.c": "", "k/no.c": "", "include/linux/lib.c": "", "k/h.h": "#include \"deep.c\"\n", "tools/t.c": "#include \"../k/deep.c\"\n",
	})
	by, err := scanIncludes(t.Context(), tree.Source, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"k/part.c": {"k/all.c"}, "x/far.c": {"k/all.c"}, "include/linux/lib.c": {"k/all.c"}, "k/deep.c": {"k/h.h", "k/part.c"}}
	if !maps.EqualFunc(by, want, slices.Equal) {
		t.Errorf("got %v, want %v", by, want)
	}
	units, err := tree.includers(t.Context(), "k/deep.c")
	if err != nil || !slices.Equal(units, []string{"k/all.c", "k/h.h", "k/part.c"}) {
		t.Errorf("includers of k/deep.c: %v, %v", units, err)
	}
}
