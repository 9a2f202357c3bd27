package rebuild

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"livesplice/pipeline/process"
)

const wrapper = `#include <linux/module.h>
extern int splice(int);
extern int not_exported_by_anybody(void);
extern int fw_fallback_config; // exported in the namespace FIRMWARE_LOADER_PRIVATE
static int __init start(void) { WARN_ON(!splice(1)); return not_exported_by_anybody() + fw_fallback_config; }
module_init(start);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
`

// spliceObject is an object as a linker of ours would hand it over: compiled without objtool.
func spliceObject(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	src := "int puts_like(int);\nint splice(int a);\nint splice(int a) { return a + 1; }\n"
	if err := os.WriteFile(filepath.Join(dir, "s.c"), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := process.Run(t.Context(), process.Cmd{Path: "gcc-12", Dir: dir, Args: []string{"-O2", "-c", "-mcmodel=kernel", "-fno-pic",
		"-ffunction-sections", "-fcf-protection=none", "-mharden-sls=all", "-mfunction-return=thunk-extern", "-o", "s.o", "s.c"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "s.o"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBuildModule builds one module twice at the same time: both come out alike, the shared tree is not written to.
func TestBuildModule(t *testing.T) {
	s := shippedTree(t)
	files := map[string][]byte{"wrap.c": []byte(wrapper), "splices.o": spliceObject(t)}
	before := snapshot(t, s.tree.Object)
	var mods [2]*Module
	var wg sync.WaitGroup
	for i := range mods {
		wg.Go(func() {
			var err error
			if mods[i], err = s.tree.BuildModule(t.Context(), "livesplice_test", files); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	diffSnapshots(t, before, snapshot(t, s.tree.Object))
	if !bytes.Equal(mods[0].KO, mods[1].KO) {
		t.Error("two builds of the same files differ")
	}
	if bytes.Contains(mods[0].KO, []byte(s.cache.Root())) {
		t.Error("the module holds a path of this machine")
	}
	f, err := elf.NewFile(bytes.NewReader(mods[0].KO))
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Section(".modinfo").Data()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"vermagic=" + s.kernel.Release + " SMP", "livepatch=Y", "name=livesplice_test"} {
		if !strings.Contains(string(info), want) {
			t.Errorf(".modinfo lacks %q: %q", want, info)
		}
	}
	// objtool saw the object that came without its work.
	for _, name := range []string{".orc_unwind", ".orc_unwind_ip", ".return_sites", "__versions"} {
		if f.Section(name) == nil {
			t.Errorf("no section %s", name)
		}
	}
	if !strings.Contains(mods[0].Log, `"not_exported_by_anybody" [livesplice_test.ko] undefined`) {
		t.Errorf("modpost's warning is not in the log:\n%s", mods[0].Log)
	}
}

func TestBuildModuleRefuses(t *testing.T) {
	s := shippedTree(t)
	object := spliceObject(t)
	for _, tc := range []struct {
		name, module, want string
		files              map[string][]byte
	}{
		{"module name", "a-b", `module name "a-b": want at most 55 letters, digits and _`, nil},
		{"folder", "m", `file "../x.c" of module "m": want a name without a folder`, map[string][]byte{"../x.c": nil}},
		{"own name", "m", `file "m.c" of module "m": bears the module's own name`, map[string][]byte{"m.c": nil, "s.o": object}},
		{"one object", "m", `module "m": want at least two objects`, map[string][]byte{"s.o": object}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := s.tree.BuildModule(t.Context(), tc.module, tc.files); err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	_, err := s.tree.BuildModule(t.Context(), "m", map[string][]byte{"wrap.c": []byte("int x = ;\n"), "s.o": object})
	var build *BuildError
	if !errors.As(err, &build) || !strings.HasPrefix(build.FirstError, "wrap.c:1:9: error: ") {
		t.Errorf("C that does not compile: %v", err)
	}
	for _, tc := range []struct{ name, log, want string }{
		{"none", "  ld -r -o m.o\n", "objtool ran neither over m.o nor over its part s.o: this kernel's kbuild does it in another way"},
		{"the whole", "  ld -r -o m.o ; ./tools/objtool/objtool --orc --module m.o\n", ""},
		{"each part", "./tools/objtool/objtool orc generate /b/wrap.o; true\n./tools/objtool/objtool orc generate /b/s.o\n", ""},
		{"one part", "./tools/objtool/objtool orc generate /b/wrap.o\n cat s.o\n", "objtool ran neither over m.o nor over its part s.o: this kernel's kbuild does it in another way"},
	} {
		err := s.tree.checkObjtool("m", tc.log, []string{"s.o", "wrap.o"})
		if build = nil; tc.want == "" && err != nil || tc.want != "" && (!errors.As(err, &build) || build.FirstError != tc.want) {
			t.Errorf("objtool over %s: %v, want %q", tc.name, err, tc.want)
		}
	}
}
