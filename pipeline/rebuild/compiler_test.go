package rebuild

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"livesplice/kconfig"
	"livesplice/pkgfmt"
)

// TestCompilerByAnotherName holds that --cc may name the kernel's compiler differently, but not name another compiler.
func TestCompilerByAnotherName(t *testing.T) {
	const text = "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"
	options, err := kconfig.Parse([]byte("CONFIG_CC_IS_GCC=y\nCONFIG_CC_VERSION_TEXT=\"" + text + "\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	config := &shippedConfig{Config: options}
	for _, tc := range []struct {
		name, program, says string
		vars                []string // nil: it is another compiler
	}{
		{"the same", "gcc-12", text, []string{}},
		{"a path", "opt/gcc-12", text, []string{}},
		{"another name", "x86_64-linux-gnu-gcc-12", "x86_64-linux-gnu-gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0", []string{"CC_VERSION_TEXT=" + text}},
		{"another release", "gcc-13", "gcc-13 (Debian 12.2.0-14+deb12u2) 12.2.0", nil},
		{"another vendor", "gcc-12", "gcc-12 (GCC) 12.2.0", nil},
		{"no version", "gcc-12", "gcc-12", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tc.program)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+tc.says+"'\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			cc, err := findCompiler(t.Context(), nil, config, path)
			var other *CompilerError
			if tc.vars == nil {
				if !errors.As(err, &other) || other.Got != tc.says {
					t.Fatalf("got %q, %v, want a *CompilerError", cc, err)
				}
				return
			}
			if err != nil || cc != path {
				t.Fatalf("got %q, %v, want %q", cc, err, path)
			}
			if vars := versionVars(cc, config); !slices.Equal(vars, tc.vars) {
				t.Errorf("make gets %q, want %q", vars, tc.vars)
			}
		})
	}
}

// TestConfigWithoutCompiler: an option that is not there has no value, where Get would say "n".
func TestConfigWithoutCompiler(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte("CONFIG_X86_64=y\nCONFIG_CC_IS_GCC=y\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := readConfig(path, "config")
	var input *pkgfmt.InputError
	if !errors.As(err, &input) || input.Got != "one without CONFIG_CC_VERSION_TEXT" {
		t.Errorf("got %v", err)
	}
}
