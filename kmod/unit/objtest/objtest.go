// Package objtest compiles the small objects of testdata/objects for tests, with the compiler and the flags that
// Debian 12 builds its kernel and this project its units with. Each case is a folder with pre.c and post.c; a first line
// of the form "/* cflags: ... */" adds flags.
package objtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// flags are those of Linux 6.1's Makefile that shape an object on x86-64, and the two of package rebuild.
var flags = strings.Fields("-c -O2 -std=gnu11 -fshort-wchar -fno-strict-aliasing -fno-common -mcmodel=kernel -mno-red-zone -fno-PIE " +
	"-fcf-protection=none -mno-sse -mno-mmx -mno-80387 -fno-jump-tables -fno-delete-null-pointer-checks -fno-stack-protector " +
	"-fno-asynchronous-unwind-tables -fno-allow-store-data-races -fno-strict-overflow -fno-stack-check -fconserve-stack " +
	"-pg -mrecord-mcount -mfentry -ffunction-sections -fdata-sections -w")

// Compiler is the compiler of Debian 12's kernels.
const Compiler = "gcc-12"

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

// File compiles a file to an object and gives its path.
func File(t testing.TB, source string, more ...string) string {
	t.Helper()
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(source), ".c")+".o")
	args := append(append([]string{}, flags...), more...)
	first, _, _ := strings.Cut(string(text), "\n")
	if extra, ok := strings.CutPrefix(first, "/* cflags: "); ok {
		args = append(args, strings.Fields(strings.TrimSuffix(extra, " */"))...)
	}
	dir := filepath.Dir(source)
	// The path is part of the object where code has __FILE__.
	args = append(args, "-ffile-prefix-map="+dir+"/=", "-o", out, source)
	Run(t, Compiler, Compiler, args...)
	return out
}

// Object compiles a file.
func Object(t testing.TB, source string, more ...string) *elfobj.Object {
	t.Helper()
	data, err := os.ReadFile(File(t, source, more...))
	if err != nil {
		t.Fatal(err)
	}
	obj, err := elfobj.Read(data)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return obj
}

// Text compiles C code that may include "kernel.h".
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
