package kernel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// install copies files into a new folder, with texts in them replaced.
func install(t *testing.T, dir string, files []string, replace ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.NewReplacer(replace...).Replace(string(text)))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDebian: dpkg-buildpackage of a source package in the form of Debian's linux, with debian-rules.mk.
func TestDebian(t *testing.T) {
	m := setup(t)
	b := m.copy(t)
	dir := filepath.Join(b.top, "linux")
	install(t, filepath.Join(dir, "debian"), []string{"livesplice-after-build", "debian-rules.mk", "testdata/debian/rules", "testdata/debian/rules.gen",
		"testdata/debian/control", "testdata/debian/changelog"}, "@RELEASE@", m.kernel.Release)
	install(t, filepath.Join(dir, "debian/livesplice"), []string{one(t, m.patches, "*.patch")})
	m.run(t, dir, "sh", "-ec", `mkdir debian/build; ln -s "$1" debian/build/build_amd64_none_amd64`, "sh", m.kernel.Object)
	b.run(t, filepath.Join(b.place, "linux"), "dpkg-buildpackage", "--build=any", "--no-sign", "--no-check-builddeps")

	m.tryDeb(t, one(t, b.top, "linux-image-*-unsigned_*.deb"), b.top)
	changes, err := os.ReadFile(one(t, b.top, "linux_*.changes"))
	if err != nil {
		t.Fatal(err)
	}
	for _, revision := range []string{"_0_", "_1_"} {
		if want := " kernel optional linux-livesplice-" + m.kernel.Release + revision + "amd64.deb\n"; !strings.Contains(string(changes), want) {
			t.Errorf("no %q in .changes:\n%s", want, changes)
		}
	}
}

// TestSpec: rpmbuild of a kernel.spec with kernel.spec.inc.
func TestSpec(t *testing.T) {
	m := setup(t)
	b := m.copy(t)
	snippet, err := os.ReadFile("kernel.spec.inc")
	if err != nil {
		t.Fatal(err)
	}
	top := filepath.Join(b.top, "rpm")
	install(t, filepath.Join(top, "SPECS"), []string{"testdata/kernel.spec"}, "# kernel.spec.inc: the test pastes it here\n", string(snippet))
	install(t, filepath.Join(top, "SOURCES"), []string{"livesplice-after-build"})
	m.run(t, "/", "cp", one(t, m.patches, "*.patch"), filepath.Join(top, "SOURCES/livesplice-1.patch"))
	place := filepath.Join(b.place, "rpm")
	b.run(t, place, "rpmbuild", "-bb", "--define", "_topdir "+place, "--define", "tree "+m.kernel.Object, "--define", "kernel_release "+m.kernel.Release,
		filepath.Join(place, "SPECS/kernel.spec"))
	rpms := filepath.Join(top, "RPMS/x86_64")
	m.tryRPM(t, one(t, rpms, "kernel-6.1-1.x86_64.rpm"), rpms)
}
