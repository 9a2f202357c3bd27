package rebuild

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/kconfig"
	"livesplice/pkgfmt"
)

// TestSameObject compares objects that gcc makes of texts with one that it makes of the first.
func TestSameObject(t *testing.T) {
	dir := t.TempDir()
	object := func(text, bits string) []byte {
		out := filepath.Join(dir, "x.o")
		cmd := exec.Command("gcc", bits, "-O2", "-g0", "-ffunction-sections", "-x", "c", "-c", "-o", out, "-")
		cmd.Stdin = strings.NewReader(text)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const text = "int a(int), b(int), x[2] = {1, 2}; char z[8];\nint f(int n) { return a(n) + x[1] + z[2]; }\n"
	for _, tc := range []struct {
		name, old, new string
		want           bool
	}{
		{"a comment", "int f", "/* same */\nint f", true},
		{"a constant", "x[1]", "x[1] + 1", false},
		{"another function is called", "a(n)", "b(n)", false},
		{"another element", "z[2]", "z[3]", false},
		{"data", "{1, 2}", "{1, 3}", false},
		{"the size of what starts as zero", "z[8]", "z[64]", false},
		{"one more function", "int f", "int g(void) { return 1; }\nint f", false},
	} {
		for _, bits := range []string{"-m64", "-m32"} { // the vDSO has one of each
			got, err := sameObject(object(text, bits), object(strings.Replace(text, tc.old, tc.new, 1), bits))
			if err != nil || got != tc.want {
				t.Errorf("%s, %s: got %v, %v, want %v", tc.name, bits, got, err, tc.want)
			}
		}
	}
	if _, err := sameObject(object(text, "-m64"), []byte("no object")); err == nil {
		t.Error("not an object: no error")
	}
}

func TestCheckLeft(t *testing.T) {
	dir := t.TempDir()
	config := func(text string) *shippedConfig {
		options, err := kconfig.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return &shippedConfig{Config: options}
	}
	all := []string{"include/generated/utsrelease.h", "include/generated/autoconf.h", "scripts/basic/fixdep", "scripts/mod/modpost", "scripts/module.lds", "Module.symvers", "modules.order"}
	for _, f := range all {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(f)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := checkLeft(dir, config("CONFIG_64BIT=y\n")); err != nil {
		t.Error(err)
	}
	gone := func(want string, c *shippedConfig) {
		t.Helper()
		err := checkLeft(dir, c)
		var input *pkgfmt.InputError
		if !errors.As(err, &input) || !strings.Contains(err.Error(), "one without "+want+": not finished, or cleaned since") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	gone("tools/objtool/objtool", config("CONFIG_OBJTOOL=y\n"))
	gone("tools/objtool/objtool", config("CONFIG_STACK_VALIDATION=y\n"))
	for _, f := range all {
		if err := os.Remove(filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
		gone(f, config("CONFIG_64BIT=y\n"))
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
