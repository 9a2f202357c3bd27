// Package objtest compiles the small objects of testdata/objects for tests, with the compilers of
// Debian 12 and the flags that kernels and this project's units are built with. Each case is a folder with pre.c and post.c; a first line
// of the form "/* cflags: ... */" adds flags.
package objtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// Folder is testdata/objects.
func Folder(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the place of this file is not known")
	}
	return filepath.Join(filepath.Dir(file), "../../../testdata/objects")
}

// Run runs a program that the tests need; pkg is the Debian package that has it.
func Run(t testing.TB, pkg, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: install the package %s", name, pkg)
	}
	cmd := exec.Command(path, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out)
}

// File compiles a file to an object of x86-64 and gives its path.
func File(t testing.TB, source string, more ...string) string {
	t.Helper()
	return X86.File(t, source, more...)
}

// File compiles a file to an object and gives its path.
func (m Machine) File(t testing.TB, source string, more ...string) string {
	t.Helper()
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(source), ".c")+".o")
	args := slices.Concat(common, m.flags, more)
	first, _, _ := strings.Cut(string(text), "\n")
	if extra, ok := strings.CutPrefix(first, "/* cflags: "); ok {
		args = append(args, strings.Fields(strings.TrimSuffix(extra, " */"))...)
	}
	dir := filepath.Dir(source)
	// The path is part of the object where code has __FILE__.
	args = append(args, "-ffile-prefix-map="+dir+"/=", "-o", out, source)
	Run(t, m.Package, m.Compiler, args...)
	return out
}

// Object compiles a file for x86-64.
func Object(t testing.TB, source string, more ...string) *elfobj.Object {
	t.Helper()
	return X86.Object(t, source, more...)
}

// Object compiles a file.
func (m Machine) Object(t testing.TB, source string, more ...string) *elfobj.Object {
	t.Helper()
	data, err := os.ReadFile(m.File(t, source, more...))
	if err != nil {
		t.Fatal(err)
	}
	obj, err := elfobj.Read(data)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return obj
}

// Text compiles C code for x86-64 that may include "kernel.h".
func Text(t testing.TB, code string, more ...string) *elfobj.Object {
	t.Helper()
	path := filepath.Join(t.TempDir(), "unit.c")
	if err := os.WriteFile(path, []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	return Object(t, path, append([]string{"-I", Folder(t)}, more...)...)
}

// Unit is Text as a unit.
func Unit(t testing.TB, code string, more ...string) *unit.Unit {
	t.Helper()
	u, err := unit.New(Text(t, code, more...))
	if err != nil {
		t.Fatal(err)
	}
	return u
}
