// Package kernel holds what a kernel's packager puts into the build, and tests each of it on the small kernel: the packages
// that come out are installed in a VM that boots the kernel just built.
package kernel

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"livesplice/ci/smallkernel"
	"livesplice/pipeline/process"
)

// material is what all tests share.
type material struct {
	kernel     *smallkernel.Kernel
	livesplice string
	hostDeb    string
	hostRPM    string
	patches    string // a folder with one patch: /proc/version says "Spliced: "
}

// scratch is the folder of what all tests share, if any did.
var scratch string

var shared = sync.OnceValues(func() (*material, error) {
	ctx := context.Background()
	m := &material{}
	var err error
	if m.kernel, err = smallkernel.Build(ctx); err != nil {
		return nil, err
	}
	if scratch, err = os.MkdirTemp("", "livesplice-kernel-"); err != nil {
		return nil, err
	}
	m.livesplice, m.patches = filepath.Join(scratch, "livesplice"), filepath.Join(scratch, "patches")
	for _, args := range [][]string{
		{"go", "build", "-o", m.livesplice, "livesplice/cmd/livesplice"},
		{"go", "run", "livesplice/ci/packages", "-out", scratch},
		{"mkdir", m.patches},
		{"cp", "../../testdata/patches/proc-version-spliced.patch", m.patches},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	if m.hostDeb, err = only(scratch, "splicectl_*.deb"); err == nil {
		m.hostRPM, err = only(scratch, "splicectl-*.rpm")
	}
	return m, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if scratch != "" {
		os.RemoveAll(scratch)
	}
	os.Exit(code)
}

func setup(t *testing.T) *material {
	t.Helper()
	m, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func only(dir, pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("folder %q: %d files %s, want one", dir, len(found), pattern)
	}
	return found[0], nil
}

// one is the one file of a folder that matches.
func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	path, err := only(dir, pattern)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// env is what a packager's build has: livesplice, and a date for what is made.
func (m *material) env() []string {
	return process.Env("LIVESPLICE="+m.livesplice, "SOURCE_DATE_EPOCH=1767268800")
}

// run runs a program, which must end well.
func (m *material) run(t *testing.T, dir string, words ...string) string {
	t.Helper()
	res, err := process.Run(t.Context(), process.Cmd{Path: words[0], Args: words[1:], Dir: dir, Env: m.env()})
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, res.Stdout, res.Stderr)
	}
	return string(res.Stdout)
}

// tree is a copy of the finished build that may be written to. Programs run by it find the copy where the original is: make
// compares names and times of files, and would build anew what was moved.
type tree struct {
	*material
	place string // of the original, with the packages beside the build folder "obj"
	top   string // of the copy
}

func (m *material) copy(t *testing.T) *tree {
	t.Helper()
	b := &tree{material: m, place: filepath.Dir(m.kernel.Object), top: t.TempDir()}
	m.run(t, "/", "cp", "-a", "--reflink=auto", m.kernel.Object, b.top)
	return b
}

func (b *tree) run(t *testing.T, dir string, words ...string) string {
	t.Helper()
	const script = `mount --bind "$1" "$2"; cd "$3"; shift 3; exec "$@"`
	return b.material.run(t, "/", append([]string{"unshare", "--map-root-user", "--mount", "sh", "-ec", script, "sh", b.top, b.place, dir}, words...)...)
}
