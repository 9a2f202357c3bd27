// Package e2e runs the whole way on a real shipped kernel: patches in, packages out, packages installed in a VM that
// boots the kernel unmodified, and what the running kernel then does.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"livesplice/ci/archive"
	"livesplice/ci/vm"
	"livesplice/kmod/livepatch"
)

// fixedIn is the Debian version from which on kernels have the fix in testdata/patches/fcntl-immutable-hint.patch.
const fixedIn = "6.1.192-1"

// material is what all tests share: a kernel of the archive, livesplice, and the packages of splicectl.
type material struct {
	kernel     archive.Kernel
	files      archive.Files
	livesplice string
	hostDeb    string
	hostRPM    string
	dir        string
}

var shared = sync.OnceValues(func() (*material, error) {
	ctx := context.Background()
	kernels, err := archive.Kernels(ctx, "6.1")
	if err != nil {
		return nil, err
	}
	m := &material{}
	if m.kernel, err = archive.Before(kernels, fixedIn); err != nil {
		return nil, err
	}
	if m.files, err = m.kernel.Fetch(ctx); err != nil {
		return nil, err
	}
	if m.dir, err = os.MkdirTemp("", "livesplice-e2e-"); err != nil {
		return nil, err
	}
	m.livesplice = filepath.Join(m.dir, "livesplice")
	for _, args := range [][]string{{"build", "-o", m.livesplice, "livesplice/cmd/livesplice"}, {"run", "livesplice/ci/packages", "-out", m.dir}} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	m.hostDeb, err = only(filepath.Join(m.dir, "splicectl_*.deb"))
	if err == nil {
		m.hostRPM, err = only(filepath.Join(m.dir, "splicectl-*.rpm"))
	}
	return m, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if s, err := shared(); err == nil {
		os.RemoveAll(s.dir)
	}
	os.Exit(code)
}

func only(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%s: %d files, want one", pattern, len(found))
	}
	return found[0], nil
}

func setup(t *testing.T) *material {
	t.Helper()
	m, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// update is what one run of create made.
type update struct {
	id, deb, rpm, folder string
}

// left are the IDs of updates whose modules are in memory once the update is disabled: it, if its manifest does not say that
// nothing holds the module.
func (u update) left(t *testing.T) []string {
	t.Helper()
	manifest, err := livepatch.ReadManifest(filepath.Join(u.folder, livepatch.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	if manifest.MayUnload() {
		return nil
	}
	return []string{u.id}
}

// patch is the path of a patch in testdata.
func patch(name string) string {
	return filepath.Join("..", "..", "testdata", "patches", name+".patch")
}

// run calls livesplice create; extra are flags and patches.
func (m *material) run(t *testing.T, out string, extra ...string) (stdout, stderr string, code int) {
	t.Helper()
	args := append([]string{"create", "--source", m.files.Source, "--kernel", m.files.Image, "--kernel", m.files.Headers,
		"--kernel", m.files.HeadersCommon, "--out", out}, extra...)
	cmd := exec.Command(m.livesplice, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// create makes an update and fails the test if that fails.
func (m *material) create(t *testing.T, extra ...string) update {
	t.Helper()
	out := t.TempDir()
	stdout, stderr, code := m.run(t, out, extra...)
	if code != 0 {
		t.Fatalf("create: exit code %d\n%s%s", code, stdout, stderr)
	}
	var u update
	var err error
	if u.deb, err = only(filepath.Join(out, "*.deb")); err != nil {
		t.Fatal(err)
	}
	if u.rpm, err = only(filepath.Join(out, "*.rpm")); err != nil {
		t.Fatal(err)
	}
	if u.folder, err = only(filepath.Join(out, "livesplice-????????")); err != nil {
		t.Fatal(err)
	}
	u.id = strings.TrimPrefix(filepath.Base(u.folder), "livesplice-")
	return u
}

// guest is a VM with helpers for what these tests ask of it.
type guest struct {
	*vm.VM
	t    *testing.T
	mark uint64
}

// boot starts a VM with the shipped kernel, in which modprobe finds the modules.
func boot(t *testing.T, m *material, modules ...string) *guest {
	t.Helper()
	g := &guest{VM: vm.ForTest(t, vm.Config{Image: m.files.Image, Modules: modules}), t: t}
	mark, err := g.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.mark = mark
	return g
}

// sh runs a script that must succeed and gives its output without the last newline.
func (g *guest) sh(script string) string {
	g.t.Helper()
	res, err := g.Run(g.t.Context(), script)
	if err != nil {
		g.t.Fatal(err)
	}
	if res.ExitCode != 0 {
		g.t.Fatalf("%s\nexit code %d\n%s%s", script, res.ExitCode, res.Stdout, res.Stderr)
	}
	return strings.TrimSuffix(res.Stdout, "\n")
}

// copy puts a file under /root and gives its path there.
func (g *guest) copy(path string, as string) string {
	g.t.Helper()
	if err := g.CopyIn(g.t.Context(), path, "/root/"+as); err != nil {
		g.t.Fatal(err)
	}
	return "/root/" + as
}

// expect compares what a script prints with a literal.
func (g *guest) expect(what, script, want string) {
	g.t.Helper()
	if got := g.sh(script); got != want {
		g.t.Errorf("%s: %s\n got %q\nwant %q", what, script, got, want)
	}
}

// patches asserts which livepatches are loaded, enabled and through with their transition; none for "".
func (g *guest) patches(what string, ids ...string) {
	g.t.Helper()
	var want []string
	for _, id := range ids {
		want = append(want, fmt.Sprintf("livesplice_%s enabled 1 transition 0", id))
	}
	script := `cd /sys/kernel/livepatch && for p in *; do [ -d "$p" ] || continue; echo "$p enabled $(cat $p/enabled) transition $(cat $p/transition)"; done`
	g.expect(what, script, strings.Join(want, "\n"))
}

// modules asserts which update modules are in memory: one that was replaced must be gone.
func (g *guest) modules(what string, ids ...string) {
	g.t.Helper()
	var want []string
	for _, id := range ids {
		want = append(want, "livesplice_"+id)
	}
	slices.Sort(want)
	g.expect(what, "awk '/^livesplice/ { print $1 }' /proc/modules | sort", strings.Join(want, "\n"))
}

// quiet asserts that the kernel's log has no warning since the last call.
func (g *guest) quiet(what string) {
	g.t.Helper()
	warnings, err := g.Warnings(g.t.Context(), g.mark)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, w := range warnings {
		g.t.Errorf("%s: kernel log: %s", what, w)
	}
	if g.mark, err = g.Mark(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}
