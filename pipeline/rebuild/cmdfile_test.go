package rebuild

import (
	"slices"
	"strings"
	"testing"
)

func TestParseCmdFile(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       cmdFile
	}{
		{"6.1, a unit", "cmd_fs/x.o := gcc -DV='$(pound)1' -c -o fs/x.o /src/fs/x.c ; ./tools/objtool fs/x.o\n\nsource_fs/x.o := /src/fs/x.c\n\ndeps_fs/x.o := \\\n    $(wildcard include/config/X) \\\n  /src/include/y.h \\\n  include/generated/z.h \\\n\nfs/x.o: $(deps_fs/x.o)\n",
			cmdFile{Target: "fs/x.o", Command: "gcc -DV='#1' -c -o fs/x.o /src/fs/x.c ; ./tools/objtool fs/x.o", Fixdep: true, Source: "/src/fs/x.c",
				Deps: []string{"/src/fs/x.c", "/src/include/y.h", "include/generated/z.h"}}},
		{"6.3 and later", "savedcmd_fs/x.o := gcc -c -o fs/x.o fs/x.c\n\nsource_fs/x.o := fs/x.c\n\ndeps_fs/x.o := \\\n  fs/x.h \\\n",
			cmdFile{Target: "fs/x.o", Command: "gcc -c -o fs/x.o fs/x.c", Fixdep: true, Source: "fs/x.c", Deps: []string{"fs/x.c", "fs/x.h"}}},
		{"a target without dependencies", "cmd_include/generated/t.h := sh s.sh t.tbl include/generated/t.h\n",
			cmdFile{Target: "include/generated/t.h", Command: "sh s.sh t.tbl include/generated/t.h"}},
		{"an empty command", "cmd_x :=\n", cmdFile{Target: "x"}},
	} {
		got, err := parseCmdFile(tc.text)
		if err != nil || got.Target != tc.want.Target || got.Command != tc.want.Command || got.Fixdep != tc.want.Fixdep || got.Source != tc.want.Source || !slices.Equal(got.Deps, tc.want.Deps) {
			t.Errorf("%s: got %+v, %v", tc.name, got, err)
		}
	}
	for _, text := range []string{"", "x := y\n", "cmd_ := y\n", "deps_x := \\\n", "savedcmd_"} {
		if c, err := parseCmdFile(text); err == nil {
			t.Errorf("%q: got %+v", text, c)
		}
	}
}

func TestMembers(t *testing.T) {
	for _, tc := range []struct{ name, target, command, want string }{
		{"5.10", "fs/built-in.a", "rm -f fs/built-in.a; ar cDPrST fs/built-in.a fs/open.o fs/ext4/built-in.a", "fs/open.o fs/ext4/built-in.a"},
		{"5.18", "fs/built-in.a", `rm -f fs/built-in.a;  printf "fs/%s " open.o ext4/built-in.a | xargs ar cDPrST fs/built-in.a`, "fs/open.o fs/ext4/built-in.a"},
		{"6.1, the top", "built-in.a", `rm -f built-in.a;  printf "./%s " init/built-in.a fs/built-in.a | xargs ar cDPrST built-in.a`, "./init/built-in.a ./fs/built-in.a"},
		{"another folder's object", "arch/x86/kvm/built-in.a", `rm -f arch/x86/kvm/built-in.a;  printf "arch/x86/kvm/%s " ../../../virt/kvm/kvm_main.o | xargs ar cDPrST arch/x86/kvm/built-in.a`, "arch/x86/kvm/../../../virt/kvm/kvm_main.o"},
		{"empty", "fs/built-in.a", "rm -f fs/built-in.a;  ar cDPrST fs/built-in.a", ""},
		{"a library", "lib/lib.a", "rm -f lib/lib.a; ar cDPrsT lib/lib.a lib/argv_split.o lib/bug.o", "lib/argv_split.o lib/bug.o"},
		{"another program's", "x.a", "true", ""},
	} {
		if got := strings.Join((&cmdFile{Target: tc.target, Command: tc.command}).members(), " "); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestFolderTarget(t *testing.T) {
	for file, want := range map[string]string{"virt/kvm/.kvm_main.o.cmd": "virt/kvm/kvm_main.o", ".vmlinux.cmd": "vmlinux", "a/x.cmd": "", "a/.x.o": "", "a/..cmd": "", ".cmd": ""} {
		if got := folderTarget(file); got != want {
			t.Errorf("%s: got %q, want %q", file, got, want)
		}
	}
}

func TestNamedFiles(t *testing.T) {
	text := "# $(src)/comment.h\nobj-y += ../lib/y.o\n" +
		"$(obj)/names.h : $(srctree)/include/uapi/linux/capability.h \\\n\t\t$(src)/Makefile\n" +
		"\t$(call cmd,make,$(src)/words.txt)\n$(timeconst-file): kernel/time/timeconst.bc FORCE\n" +
		"KBUILD_CFLAGS += -include $(srctree)/include/linux/hidden.h\ninclude $(srctree)/scripts/Makefile.x\n" +
		"$(obj)/z.c: $(src)/../../include/asm/features.h\n" +
		"up := ../../../../../etc/x.h\n$(obj)/cat.s: $(srctree)/$(src)/own.bin\n"
	want := []string{"include/uapi/linux/capability.h", "kernel/time/timeconst.bc", "lib/a/b/c/own.bin", "lib/a/b/c/words.txt", "lib/a/include/asm/features.h"}
	if got := namedFiles(text, "lib/a/b/c"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzCmdFile reads .cmd files with anything in them.
func FuzzCmdFile(f *testing.F) {
	f.Add("cmd_fs/x.o := gcc -c -o fs/x.o fs/x.c\n\nsource_fs/x.o := fs/x.c\n\ndeps_fs/x.o := \\\n  fs/x.h \\\n")
	f.Add("savedcmd_fs/built-in.a := rm -f fs/built-in.a;  printf \"fs/%s \" open.o | xargs ar cDPrST fs/built-in.a\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCmdFile(text)
		if err != nil {
			return
		}
		if c.Target == "" || !c.Fixdep && len(c.Deps) > 0 {
			t.Errorf("got %+v", c)
		}
		for _, m := range c.members() {
			if strings.ContainsAny(m, ";| \t") {
				t.Errorf("member %q", m)
			}
		}
		l := &linkage{builtin: map[string]bool{}, library: map[string]bool{}, modules: map[string][]string{}, archives: map[string]bool{}}
		l.addArchive(c)
		if got, ok := l.classify(c, c.Source); ok && got.Kind == Invalid {
			t.Errorf("%q has no kind", c.Target)
		}
	})
}
