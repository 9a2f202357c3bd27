package rebuild

import (
	"os"
	"path/filepath"
	"testing"
)

// TestReaderOfNew asks who else may read a header that a patch adds.
func TestReaderOfNew(t *testing.T) {
	files := map[string]string{
		"fs/foo/a.c":                 "#include \"internal.h\"\n",
		"fs/foo/internal.h":          "",
		"fs/foo/Makefile":            "obj-y := a.o\nCFLAGS_a.o := -include $(src)/forced.h\n",
		"fs/bar/b.c":                 "#include \"internal.h\"\n#include <linux/fs.h>\n#  include \"lost.h\"\n",
		"fs/bar/internal.h":          "",
		"fs/bar/c.c":                 "#include \"../baz/up.h\"\n#if __has_include(\"maybe.h\")\n#endif\n",
		"fs/bar/trace.c":             "#define TRACE_INCLUDE_FILE bar_trace\n#include NAME\n#define NAME <linux/by_name.h>\n",
		"include/linux/fs.h":         "",
		"include/asm-generic/only.h": "",
		"lib/d.c":                    "#include <asm/only.h>\n",
		"arch/arm/e.c":               "#include <linux/of_arm.h>\n",
		"tools/f.c":                  "#include <linux/of_tools.h>\n",
		"kernel/patched.c":           "#include \"fresh.h\"\n",
		"kernel/odd.c":               "/* see \"mentioned.h\" */ int x_h;\n",
		"drivers/g.c":                "#include \"deep/../../fs/foo/dots.h\"\n",
	}
	tree := fakeTree(t, files)
	generated := filepath.Join(tree.Object, "include/generated")
	if err := os.MkdirAll(generated, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(generated, "made.h"), []byte("#include <linux/for_made.h>\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ header, want string }{
		{"fs/foo/nobody_asks.h", ""},
		{"kernel/fresh.h", ""},                   // the patch's own file reads it
		{"fs/other/internal.h", ""},              // both that ask have one beside them
		{"fs/internal.h", ""},                    // the same
		{"fs/bar/lost.h", "fs/bar/b.c"},          // beside the file that asks, and not found so far
		{"include/lost.h", "fs/bar/b.c"},         // by -I
		{"fs/baz/up.h", "fs/bar/c.c"},            // by ..
		{"fs/bar/maybe.h", "fs/bar/c.c"},         // by __has_include
		{"fs/bar/bar_trace.h", "fs/bar/trace.c"}, // by a macro
		{"include/linux/by_name.h", "fs/bar/trace.c"},
		{"fs/bar/linux/fs.h", "fs/bar/b.c"},        // by -I, before include/
		{"include/linux/dcache/fs.h", ""},          // nobody asks for dcache/fs.h, nor for fs.h alone
		{"arch/x86/include/asm/only.h", "lib/d.c"}, // instead of the generic one
		{"include/linux/of_arm.h", ""},
		{"include/linux/of_tools.h", ""},
		{"include/linux/for_made.h", "include/generated/made.h"},
		{"fs/foo/forced.h", "fs/foo/Makefile"},
		{"kernel/mentioned.h", "kernel/odd.c"}, // not read, but who knows
		{"fs/foo/dots.h", "drivers/g.c"},
	} {
		got, err := tree.ReaderOfNew(t.Context(), c.header, map[string][]byte{c.header: {}, "kernel/patched.c": {}})
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.header, got, err, c.want)
		}
	}
}
