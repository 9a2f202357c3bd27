package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/pipeline/rebuild"
)

// TestHeader says which headers need no finished build, and why others do.
func TestHeader(t *testing.T) {
	const features = "arch/x86/include/asm/cpufeatures.h"
	tree := &rebuild.Tree{Source: t.TempDir(), Object: t.TempDir()}
	for name, text := range map[string]string{
		"fs/a.h": "int a;\n", features: "#define F 1 /* \"f\" */\n", "fs/a.c": "#include \"a.h\"\n", "fs/b.c": "#include <linux/wanted.h>\n", "fs/list.c": "int l;\n",
	} {
		file := filepath.Join(tree.Source, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, file, text, ignored, refused string }{
		{"a comment", "fs/a.h", "/* A remark */\nint a;\n", onlyComments, ""},
		{"code", "fs/a.h", "int a, b;\n", "", "which units a header changes is known only from a finished build"},
		{"gone", "fs/a.h", "", "", "which units a header changes"},
		{"a comment that the build reads", features, "#define F 1 /* \"g\" */\n", "", "which units a header changes"},
		{"a .c file that headers include", "fs/list.c", "int l; /* A remark */\n", "", "which units a header changes"},
		{"new", "fs/new.h", "int n;\n", newHeader, ""},
		{"new, and another asks for one of its name", "include/linux/wanted.h", "int n;\n", "", "it is new, and fs/b.c includes one of its name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string][]byte{c.file: []byte(c.text)}
			if c.text == "" {
				files[c.file] = nil
			}
			reason, r, err := header(t.Context(), tree, c.file, files)
			if err != nil || reason != c.ignored || reason == "" && (r.Code != codeHeader || !strings.HasPrefix(r.Reason, c.refused)) {
				t.Errorf("got %q, %+v, %v", reason, r, err)
			}
		})
	}
}
