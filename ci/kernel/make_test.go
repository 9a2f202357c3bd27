package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/ci/smallkernel"
)

// make runs make with livesplice.mk in the source folder, for a copy of the build. The results are in top/out.
func (m *material) make(t *testing.T, target string, vars ...string) (top string) {
	t.Helper()
	b := m.copy(t)
	mk, err := filepath.Abs("livesplice.mk")
	if err != nil {
		t.Fatal(err)
	}
	words := append([]string{"make", "-j2", "-f", mk, target, "O=" + m.kernel.Object, "LIVESPLICE_OUT=" + filepath.Join(b.place, "out"),
		"LIVESPLICE_PATCHES=" + m.patches}, smallkernel.BuildVars()...)
	log := b.run(t, m.kernel.Source, append(words, vars...)...)
	if n := strings.Count(log, "\n  CC "); n > 20 {
		t.Errorf("make compiled %d objects of a finished build:\n%s", n, log)
	}
	return b.top
}

// TestMakeDeb: make bindeb-pkg, and the update beside the kernel's packages.
func TestMakeDeb(t *testing.T) {
	m := setup(t)
	top := m.make(t, "bindeb-pkg")
	m.tryDeb(t, one(t, top, "linux-image-"+m.kernel.Release+"_*.deb"), filepath.Join(top, "out"))
}

// TestMakeRPM: the same with make binrpm-pkg.
func TestMakeRPM(t *testing.T) {
	m := setup(t)
	top := m.make(t, "binrpm-pkg", "RPMOPTS=--define '_topdir "+filepath.Join(filepath.Dir(m.kernel.Object), "rpm")+"'")
	m.tryRPM(t, one(t, top, "rpm/RPMS/x86_64/kernel-6*.rpm"), filepath.Join(top, "out"))
}

// afterBuild calls the script by itself, with the small kernel's packages, and gives its exit code.
func (m *material) afterBuild(t *testing.T, out string, options ...string) (log string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "./livesplice-after-build", append(append([]string{"--build-tree", m.kernel.Object, "--out", out}, options...), m.kernel.Image, m.kernel.Headers)...)
	cmd.Env = m.env()
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// TestKit: without the tree and the package of headers, the kit that was kept is enough for an update.
func TestKit(t *testing.T) {
	m := setup(t)
	out := t.TempDir()
	if log, code := m.afterBuild(t, out); code != 0 {
		t.Fatalf("exit code %d\n%s", code, log)
	}
	m.run(t, out, "tar", "-xf", one(t, out, "livesplice-kit-*.tar.xz"))
	m.run(t, out, m.livesplice, "create", "--source", m.kernel.Source, "--kernel", m.kernel.Image, "--kernel", filepath.Join(out, "livesplice-kit-"+m.kernel.Release),
		"--format", "deb", "--revision", "7", one(t, m.patches, "*.patch"))
	one(t, out, "linux-livesplice-"+m.kernel.Release+"_7_amd64.deb")
}

// TestRefused: the exit code is livesplice's, and the subscription is made all the same.
func TestRefused(t *testing.T) {
	m := setup(t)
	out, patches := t.TempDir(), t.TempDir()
	const config = "--- a/init/Kconfig\n+++ b/init/Kconfig\n@@ -1,1 +1,2 @@\n+# changed\n # SPDX-License-Identifier: GPL-2.0-only\n"
	if err := os.WriteFile(filepath.Join(patches, "1.patch"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	log, code := m.afterBuild(t, out, "--patches", patches)
	if code != 4 || !strings.Contains(log, "[config-changed]") {
		t.Errorf("exit code %d, want 4\n%s", code, log)
	}
	one(t, out, "linux-livesplice-"+m.kernel.Release+"_0_amd64.deb")
	if found, err := filepath.Glob(filepath.Join(out, "*")); err != nil || len(found) != 2 {
		t.Errorf("%v, %q: want the subscription and the kit", err, found)
	}
}

// TestUsage: what the script says when it is called with something missing, before it does anything.
func TestUsage(t *testing.T) {
	empty := t.TempDir()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "options --build-tree and --out are needed"},
		{[]string{"--out"}, "option --out: a value is missing"},
		{[]string{"--verbose"}, "option --verbose: not known"},
		{[]string{"--build-tree", empty, "--out", empty}, "no packages given"},
		{[]string{"--build-tree", empty, "--out", empty, "x.deb"}, `folder "` + empty + `": no .config in it, want a finished kernel build`},
	} {
		cmd := exec.Command("./livesplice-after-build", tt.args...)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 2 || strings.TrimSpace(string(out)) != "livesplice-after-build: "+tt.want {
			t.Errorf("%q: %v: %s, want %s", tt.args, err, out, tt.want)
		}
	}
}

// TestShell: shellcheck has nothing to say of the script.
func TestShell(t *testing.T) {
	if out, err := exec.Command("shellcheck", "livesplice-after-build").CombinedOutput(); err != nil {
		t.Errorf("shellcheck (Debian package shellcheck): %v\n%s", err, out)
	}
}
