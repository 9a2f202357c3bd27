package kernel

import (
	"path/filepath"
	"strings"
	"testing"

	"livesplice/ci/vm"
)

// guest is a VM that runs the kernel of a package.
type guest struct {
	*vm.VM
	t    *testing.T
	mark uint64 // where the kernel's log was when it had booted
}

// version prints "Spliced" when the update is applied, else "Linux version".
const version = "cut -d: -f1 /proc/version | cut -c1-13"

// enabled prints of each livepatch whether it is enabled, and whether its transition goes on.
const enabled = "cd /sys/kernel/livepatch; for p in *; do [ ! -d $p ] || echo enabled $(cat $p/enabled) transition $(cat $p/transition); done"

func (m *material) boot(t *testing.T, image string) *guest {
	g := &guest{VM: vm.ForTest(t, vm.Config{Image: image}), t: t}
	var err error
	if g.mark, err = g.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.expect("the kernel that was built", "uname -r", m.kernel.Release)
	g.expect("before", version, "Linux version")
	return g
}

// tryDeb boots the kernel of a .deb, installs that .deb, subscribes to the kernel's updates, upgrades to the one in out, and
// removes it again.
func (m *material) tryDeb(t *testing.T, image, out string) {
	t.Helper()
	g := m.boot(t, image)
	none, first := one(t, out, "linux-livesplice-*_0_amd64.deb"), one(t, out, "linux-livesplice-*_1_amd64.deb")
	g.expect("dpkg -i of the kernel", "dpkg -i "+g.copy(image)+" >/dev/null && modprobe loop && awk '/^loop / { print $1 }' /proc/modules", "loop")
	g.expect("the subscription", "dpkg -i "+g.copy(m.hostDeb, none)+" >/dev/null && "+version, "Linux version")
	g.expect("the update", "dpkg -i "+g.copy(first)+" >/dev/null && "+version, "Spliced")
	g.expect("the update", enabled, "enabled 1 transition 0")
	g.expect("its removal", "dpkg -r linux-livesplice-"+m.kernel.Release+" >/dev/null && "+version, "Linux version")
	g.expect("its removal", enabled, "")
	g.quiet()
}

// tryRPM is tryDeb with packages of the other format.
func (m *material) tryRPM(t *testing.T, kernel, out string) {
	t.Helper()
	g := m.boot(t, kernel)
	none, first := one(t, out, "kernel-livesplice-*-0-1.x86_64.rpm"), one(t, out, "kernel-livesplice-*-1-1.x86_64.rpm")
	g.expect("rpm -i of the kernel", "rpm -i "+g.copy(kernel)+" && modprobe loop && awk '/^loop / { print $1 }' /proc/modules", "loop")
	g.expect("the subscription", "rpm -i "+g.copy(m.hostRPM, none)+" >/dev/null && "+version, "Linux version")
	g.expect("the update", "rpm -U "+g.copy(first)+" >/dev/null && "+version, "Spliced")
	g.expect("the update", enabled, "enabled 1 transition 0")
	g.expect("its removal", "rpm -e kernel-livesplice-"+m.kernel.Release+" >/dev/null && "+version, "Linux version")
	g.expect("its removal", enabled, "")
	g.quiet()
}

func (g *guest) expect(what, script, want string) {
	g.t.Helper()
	if got := strings.TrimSuffix(g.MustRun(g.t.Context(), g.t, script), "\n"); got != want {
		g.t.Errorf("%s: %s\n got %q\nwant %q", what, script, got, want)
	}
}

// copy puts files under /root and gives their paths there.
func (g *guest) copy(paths ...string) string {
	g.t.Helper()
	var there []string
	for _, p := range paths {
		to := "/root/" + filepath.Base(p)
		if err := g.CopyIn(g.t.Context(), p, to); err != nil {
			g.t.Fatal(err)
		}
		there = append(there, to)
	}
	return strings.Join(there, " ")
}

// quiet asserts that the kernel's log has no warning since it booted. At boot it checks its timers, and has something to
// say of them where the machine below is busy.
func (g *guest) quiet() {
	g.t.Helper()
	warnings, err := g.Warnings(g.t.Context(), g.mark)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, w := range warnings {
		g.t.Errorf("kernel log: %s", w)
	}
}
