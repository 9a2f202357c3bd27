package e2e

import (
	"strings"
	"testing"
)

// What the patches of these tests change, as seen from user space.
const (
	versionWord = "cut -d: -f1 /proc/version | cut -c1-13" // "Spliced" when patched, else "Linux version"
	hint        = `touch /root/fixed; perl -e '
		sub immutable { my $f = pack("L", shift); ioctl(F, 0x40086602, $f) or die "FS_IOC_SETFLAGS: $!" }
		open(F, "<", "/root/fixed") or die; immutable(16); my $h = pack("Q", 1);
		print fcntl(F, 1036, $h) ? "accepted" : "refused"; immutable(0)'`
	removed = `exec 3>/root/gone; rm /root/gone; readlink /proc/self/fd/3`
)

func (g *guest) state(what string, spliced, withRemoved bool) {
	g.t.Helper()
	version, rw, path := "Linux version", "accepted", "/root/gone (deleted)"
	if spliced {
		version, rw = "Spliced", "refused"
	}
	if withRemoved {
		path = "/root/gone (removed)"
	}
	g.expect(what, versionWord, version)
	g.expect(what, hint, rw)
	g.expect(what, removed, path)
}

// TestPackages takes two revisions of an update through dpkg, rpm and splicectl in one VM. After each step the kernel's
// behaviour, /sys/kernel/livepatch, the modules in memory and the kernel's log are asserted.
func TestPackages(t *testing.T) {
	m := setup(t)
	r1 := m.create(t, "--revision", "1", patch("fcntl-immutable-hint"), patch("proc-version-spliced"))
	r2 := m.create(t, "--revision", "2", patch("fcntl-immutable-hint"), patch("proc-version-spliced"), patch("features-d-path"))
	if r1.id == r2.id {
		t.Fatalf("both revisions have the ID %s", r1.id)
	}
	// The ID of the first revision with another module behind it.
	other := m.create(t, "--revision", "1", "--id", r1.id, patch("fcntl-immutable-hint"))
	g := boot(t, m, "overlay")
	hostDeb, hostRPM := g.copy(m.hostDeb, "splicectl.deb"), g.copy(m.hostRPM, "splicectl.rpm")
	deb1, deb2 := g.copy(r1.deb, "r1.deb"), g.copy(r2.deb, "r2.deb")
	rpm1, rpm2 := g.copy(r1.rpm, "r1.rpm"), g.copy(r2.rpm, "r2.rpm")
	otherDeb := g.copy(other.deb, "other.deb")
	debName, rpmName := "linux-livesplice-"+m.kernel.Release, "kernel-livesplice-"+m.kernel.Release
	var left []string // of the second revision, once it was there
	none := func(what string) {
		t.Helper()
		g.state(what, false, false)
		g.patches(what)
		g.modules(what, left...)
		g.quiet(what)
	}
	first := func(what string) {
		t.Helper()
		g.state(what, true, false)
		g.patches(what, r1.id)
		g.modules(what, append([]string{r1.id}, left...)...)
		g.quiet(what)
	}
	second := func(what string) {
		t.Helper()
		g.state(what, true, true)
		g.patches(what, r2.id)
		g.modules(what, r2.id)
		g.quiet(what)
		left = r2.left(t)
	}
	none("before anything")

	g.installInChroot(hostDeb, deb1, r1.id)
	none("dpkg -i in a chroot")

	g.sh("apt-get install -y " + hostDeb + " " + deb1)
	first("apt-get install")
	if view := g.sh("splicectl view"); !strings.Contains(view, r1.id) {
		t.Errorf("splicectl view does not name %s: %q", r1.id, view)
	}
	g.expect("status of the package", "dpkg-query -W -f '${Status} ${Version}' "+debName, "install ok installed 1")
	g.sh("dpkg -i " + deb1)
	first("dpkg -i of what is there")

	g.sh("splicectl undo " + r1.id)
	none("splicectl undo")
	g.sh("splicectl reconcile")
	none("reconcile after an undo by hand")
	g.sh("splicectl apply " + r1.id)
	first("splicectl apply ID")

	g.sh("dpkg -i " + otherDeb)
	first("dpkg -i of another module of the same ID")
	if status := g.sh("splicectl status"); !strings.Contains(status, "another module of its name is loaded") {
		t.Errorf("splicectl status does not tell of the other module:\n%s", status)
	}
	g.sh("splicectl undo " + r1.id + " && splicectl apply " + r1.id)
	g.expect("undo and apply exchange it", versionWord, "Linux version")
	g.expect("undo and apply exchange it", hint, "refused")
	g.quiet("undo and apply exchange it")
	g.sh("dpkg -i " + deb1 + " && splicectl undo " + r1.id + " && splicectl apply " + r1.id)
	first("dpkg -i, undo and apply of the first module")

	g.upgradeWithoutGap("dpkg -i " + deb2)
	second("dpkg -i of revision 2")
	g.sh("dpkg -i " + deb1)
	first("dpkg -i of revision 1: downgrade")
	g.sh("dpkg -i " + deb2)
	g.sh("dpkg -r " + debName)
	none("dpkg -r")
	g.sh("dpkg -i " + deb1)
	g.sh("dpkg -P " + debName + " splicectl")
	none("dpkg -P of both")
	g.expect("nothing is left on disk", "find /usr/lib/livesplice /var/lib/livesplice /etc/systemd/system -name '*splice*' 2>/dev/null || true", "")

	g.sh("rpm -i " + hostRPM + " " + rpm1)
	first("rpm -i")
	g.expect("rpm knows it", "rpm -q --qf '%{VERSION}' "+rpmName, "1")
	g.upgradeWithoutGap("rpm -U " + rpm2)
	second("rpm -U to revision 2")
	g.sh("rpm -U --oldpackage " + rpm1)
	first("rpm -U --oldpackage")
	g.sh("splicectl undo --all")
	none("splicectl undo --all")
	g.sh("splicectl apply /usr/lib/livesplice/*/" + r1.id)
	first("splicectl apply PATH")
	g.sh("rpm -e " + rpmName)
	none("rpm -e")
	g.sh("rpm -e splicectl")
	none("rpm -e splicectl")
}

// installInChroot installs packages in a chroot of the guest, as whoever builds an image does: dpkg succeeds, and the
// update is pending there.
func (g *guest) installInChroot(hostDeb, deb, id string) {
	g.t.Helper()
	g.sh(`modprobe overlay; mkdir -p /tmp/over /tmp/chroot; mount -t tmpfs none /tmp/over; mkdir /tmp/over/upper /tmp/over/work
		mount -t overlay -o lowerdir=/,upperdir=/tmp/over/upper,workdir=/tmp/over/work none /tmp/chroot
		mount -t proc none /tmp/chroot/proc; mount -t sysfs none /tmp/chroot/sys`)
	g.sh("chroot /tmp/chroot dpkg -i " + hostDeb + " " + deb)
	g.expect("status in a chroot", "chroot /tmp/chroot splicectl status | grep -A2 ^"+id+" | awk 'NR == 1 { print $3 } NR == 3'",
		"pending\n          this is a chroot: / is not the root of process 1")
	g.sh("umount -R /tmp/chroot /tmp/over")
	g.expect("outside of the chroot", "ls -d /usr/sbin/splicectl /usr/lib/livesplice 2>/dev/null || true", "")
}

// upgradeWithoutGap runs a script while another process reads /proc/version without pause: no read may see the
// original function.
func (g *guest) upgradeWithoutGap(script string) {
	g.t.Helper()
	g.sh(`rm -f /tmp/stop /tmp/gaps /tmp/reads; (
		n=0; while [ ! -e /tmp/stop ]; do read -r word rest < /proc/version; n=$((n+1)); [ "$word" = Spliced: ] || echo "$word" >> /tmp/gaps; done; echo $n > /tmp/reads
	) > /dev/null 2>&1 &`)
	g.sh(script)
	g.sh("touch /tmp/stop; while [ ! -s /tmp/reads ]; do sleep 0.1; done")
	g.expect("an upgrade has no unpatched moment", "cat /tmp/gaps 2>/dev/null || true", "")
	if n := g.sh("cat /tmp/reads"); len(n) < 2 {
		g.t.Errorf("only %s reads during the upgrade", n)
	}
}

// TestReboot takes an update through a reboot: dpkg leaves it on disk, and reconciling at boot applies it again.
func TestReboot(t *testing.T) {
	m := setup(t)
	u := m.create(t, patch("proc-version-spliced"))
	g := boot(t, m)
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + " " + g.copy(u.deb, "u.deb"))
	g.expect("installed", versionWord, "Spliced")
	if err := g.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.mark = 0
	g.expect("booted", versionWord, "Linux version")
	g.sh("splicectl reconcile --boot")
	g.expect("reconciled", versionWord, "Spliced")
	g.patches("reconciled", u.id)
	g.quiet("after the reboot")
}
