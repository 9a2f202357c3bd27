package e2e

import (
	"strings"
	"testing"
)

// TestModules applies one update for vmlinux, for a module that is loaded and for one that is loaded later.
func TestModules(t *testing.T) {
	m := setup(t)
	u := m.create(t, patch("features-modules"))
	g := boot(t, m, "zram")
	patched := func(what, want string) {
		t.Helper()
		g.expect(what, "cd /sys/kernel/livepatch/livesplice_"+u.id+" && grep -H . */patched", want)
	}
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + " " + g.copy(u.deb, "u.deb"))
	g.patches("installed", u.id)
	patched("ext4 is loaded, zram is not", "ext4/patched:1\nvmlinux/patched:1\nzram/patched:0")
	g.expect("status", "splicectl status > /dev/null; echo $?", "0")
	g.expect("vmlinux", "cut -d' ' -f1 /proc/version", "spliced")
	// Code of ext4 that calls a new function in another unit of it, which calls mbcache.
	g.expect("ext4", "touch /root/spliced; rm /root/spliced 2>&1 | sed 's/.*: //'", "Inappropriate ioctl for device")
	g.expect("ext4, another file", "touch /root/other; rm /root/other; ls /root/other 2>/dev/null; ls /root/spliced", "/root/spliced")

	g.sh("modprobe zram")
	patched("zram is loaded", "ext4/patched:1\nvmlinux/patched:1\nzram/patched:1")
	// THIS_MODULE is the patched module and not the update; a new function of vmlinux's part; an import from zsmalloc.
	g.expect("zram", "cat /sys/block/zram0/disksize", "0 of zram, 42")
	g.sh("echo 1M > /sys/block/zram0/disksize")
	g.expect("zram's import", "cut -c1-16 /sys/block/zram0/mm_stat", "spliced        0")
	for range 2 {
		g.expect("zram is not pinned", "rmmod zram && echo gone", "gone")
		patched("zram is unloaded", "ext4/patched:1\nvmlinux/patched:1\nzram/patched:0")
		g.sh("modprobe zram")
		patched("zram is loaded again", "ext4/patched:1\nvmlinux/patched:1\nzram/patched:1")
		g.expect("zram, loaded again", "cat /sys/block/zram0/disksize", "0 of zram, 42")
	}
	g.sh("rmmod zram")
	g.quiet("while the update was applied")

	g.sh("splicectl undo " + u.id)
	g.patches("undone")
	g.modules("undone", u.left(t)...)
	g.sh("rm /root/spliced && modprobe zram")
	g.expect("zram as shipped", "cat /sys/block/zram0/disksize", "0")
	g.expect("vmlinux as shipped", "cut -d' ' -f1 /proc/version", "Linux")

	// Again with both modules there, from the start.
	g.sh("splicectl apply " + u.id)
	patched("all are loaded", "ext4/patched:1\nvmlinux/patched:1\nzram/patched:1")
	g.expect("zram", "cat /sys/block/zram0/disksize", "0 of zram, 42")
	g.quiet("after applying it again")
	g.sh("dpkg -r linux-livesplice-" + m.kernel.Release)
	g.expect("zram after the removal", "cat /sys/block/zram0/disksize", "0")
	g.quiet("after the removal")
}

// TestOtherModule refuses an update when a module that it is for is loaded in another build.
func TestOtherModule(t *testing.T) {
	m := setup(t)
	u := m.create(t, patch("features-modules"))
	g := boot(t, m, "zram")
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb"))
	// The build-id that the kernel shows is that of the file: a zram with another one stands for one built by hand.
	// The kernel takes a module without a signature, and not one with a wrong one.
	g.sh(`cp $(modinfo -n zram) /root/zram.ko && perl -e '
		local $/; open F, "+<", "/root/zram.ko"; binmode F; $_ = <F>;
		my $at = index($_, "\4\0\0\0\24\0\0\0\3\0\0\0GNU\0"); die "no build-id" if $at < 0; seek F, $at + 16, 0; print F "another build-id....";
		s/(.{4})~Module signature appended~\n$//s or die "no signature"; truncate F, length($_) - 8 - unpack("N", $1);' &&
		modprobe zsmalloc && insmod /root/zram.ko`)
	out := g.sh("dpkg -i " + g.copy(u.deb, "u.deb") + " 2>&1; splicectl apply " + u.id + " 2>&1; echo exit code $?")
	if want := `module "zram" that is loaded has build-id 616e6f74686572206275696c642d69642e2e2e2e`; !strings.Contains(out, want) || !strings.HasSuffix(out, "exit code 4") {
		t.Errorf("got %s, want %s", out, want)
	}
	g.patches("refused")
}
