package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"livesplice/kmod/livepatch"
)

// place puts an update on the guest's disk with what its manifest says of unloading: nothing holds the module, or
// something does.
func (g *guest) place(u update, held bool) {
	g.t.Helper()
	manifest, err := livepatch.ReadManifest(filepath.Join(u.folder, livepatch.ManifestName))
	if err != nil {
		g.t.Fatal(err)
	}
	manifest.Unload = &livepatch.Unload{Allowed: true, Reasons: []livepatch.UnloadReason{}}
	if held {
		manifest.Unload = &livepatch.Unload{Reasons: []livepatch.UnloadReason{{Subject: "test", Reason: "stays for a test"}}}
	}
	data, err := manifest.Encode()
	if err != nil {
		g.t.Fatal(err)
	}
	edited := filepath.Join(g.t.TempDir(), livepatch.ManifestName)
	if err := os.WriteFile(edited, data, 0o644); err != nil {
		g.t.Fatal(err)
	}
	dir := filepath.Join("/", livepatch.UpdatesDir, manifest.BuildID, manifest.ID)
	g.sh("mkdir -p " + dir)
	for from, to := range map[string]string{edited: livepatch.ManifestName, filepath.Join(u.folder, manifest.ModuleFile): manifest.ModuleFile} {
		g.sh(fmt.Sprintf("install -m 644 %s %s/%s", g.copy(from, to), dir, to))
	}
}

// sleepers are tasks that sleep in an update until they are killed: how to start each, and the function that it sleeps in.
var sleepers = map[string]struct{ start, in string }{
	"splicecold": {"/root/splicecold", "ksys_sync.cold"},
	"splicetail": {`perl -e '$0 = "splicetail"; syscall(122, 0)'`, "ls_wait"}, // setfsuid(2)
}

// enter has them call it again and again, until leave.
func (g *guest) enter() {
	g.t.Helper()
	g.sh("cp /bin/sync /root/splicecold; touch /root/enter")
	for _, s := range sleepers {
		g.sh("(while [ -e /root/enter ]; do " + s.start + "; sleep 0.5; done) > /dev/null 2>&1 &")
	}
	g.inside()
}

// inside waits until each of them sleeps in the update.
func (g *guest) inside() {
	g.t.Helper()
	for name, s := range sleepers {
		g.sh(fmt.Sprintf("for i in $(seq 300); do grep -qsF 'msleep' /proc/$(pgrep -x %[1]s)/stack && grep -qsF '%[2]s' /proc/$(pgrep -x %[1]s)/stack && exit 0; sleep 0.2; done; ps ax; cat /proc/$(pgrep -x %[1]s)/stack; exit 1", name, s.in))
	}
}

// leave waits until none of them is there any more.
func (g *guest) leave() {
	g.t.Helper()
	g.sh("rm /root/enter; for i in $(seq 300); do pkill -9 -x 'splicecold|splicetail'; pgrep -x 'splicecold|splicetail' > /dev/null || exit 0; sleep 0.2; done; exit 1")
}

// matches asserts that what a script prints matches a regular expression.
func (g *guest) matches(what, script, want string) {
	g.t.Helper()
	if got := g.sh(script); !regexp.MustCompile(want).MatchString(got) {
		g.t.Errorf("%s: %s\n got %q\nwant %s", what, script, got, want)
	}
}

// TestTaskInUpdate has tasks sleep in a cold part of an update and in a function that is reached by a jump, neither of
// which livepatch looks for, while the update is undone, applied again and replaced.
func TestTaskInUpdate(t *testing.T) {
	m := setup(t)
	patches := []string{patch("sleeps-in-cold-part"), patch("sleeps-behind-jump")}
	r1 := m.create(t, append([]string{"--revision", "1"}, patches...)...)
	r2 := m.create(t, append([]string{"--revision", "2", patch("sleeps-in-cold-part-revision-2")}, patches...)...)
	taskInUpdate(t, boot(t, m), m, r1, r2)
}

// cycles is how often an update that stays loaded is undone and applied.
var cycles = 5

func taskInUpdate(t *testing.T, g *guest, m *material, r1, r2 update) {
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb"))
	g.place(r1, false)
	g.sh("splicectl reconcile")
	g.patches("applied", r1.id)

	leaves := `stays loaded, disabled, until task \d+ "splice(cold|tail)" leaves (ksys_sync\.cold|ls_wait)\+0x[0-9a-f]+/0x[0-9a-f]+ and task \d+ "splice(cold|tail)" leaves (ksys_sync\.cold|ls_wait)\+.*; splicectl reconcile, which a timer runs, tries again`
	g.enter()
	for range cycles {
		g.inside()
		g.matches("undone with tasks inside", "splicectl undo "+r1.id, leaves)
		g.patches("undone")
		g.modules("undone, tasks are inside", r1.id)
		g.matches("status", "splicectl status", `(?s)`+r1.id+` +r1 +undone.*loaded, disabled: 1, \d+ KiB\n`+r1.id+` +\d+ KiB, stays until task`)
		g.matches("status", "splicectl status --json", `(?s)"disabled": \[\s+\{\s+"id": "`+r1.id+`",\s+"module": "livesplice_`+r1.id+`",\s+"memory": \d+,\s+"may_unload": true,\s+"why": "until task`)
		g.sh("splicectl apply " + r1.id)
		g.patches("applied again", r1.id)
		g.quiet("undone and applied again")
	}
	g.inside()
	g.sh("splicectl undo " + r1.id)
	g.leave()
	g.modules("they left, nobody looked", r1.id)
	g.sh("splicectl reconcile --retry")
	g.modules("they left, the timer ran")
	g.quiet("unloaded after they left")

	// The same with a new revision, whose transition replaces the old one. The files of the old one are gone by then.
	g.sh("splicectl apply " + r1.id)
	g.enter()
	g.place(r2, false)
	g.matches("replaced with tasks inside", "rm -r /usr/lib/livesplice/*/"+r1.id+" && splicectl reconcile", leaves)
	g.patches("replaced", r2.id)
	g.expect("both are loaded", "awk '/^livesplice/ { print $1 }' /proc/modules | sort", strings.Join(sorted("livesplice_"+r1.id, "livesplice_"+r2.id), "\n"))
	g.leave()
	g.sh("splicectl reconcile --retry")
	g.modules("they left the old revision", r2.id)
	g.quiet("replaced")

	// A task that never sleeps and never enters the kernel is seen too: its CPU is taken from it for a moment.
	g.sh("perl -e 'while (1) { $i++ }' > /dev/null 2>&1 & sleep 1")
	g.sh("splicectl undo " + r2.id)
	g.modules("with a task that runs")
	g.sh("pkill perl; splicectl undo --all")
	g.quiet("with a task that runs")
}

func sorted(a, b string) []string {
	if a > b {
		a, b = b, a
	}
	return []string{a, b}
}

// TestRemovedWithTaskInside removes the package of an update while a task sleeps in it.
func TestRemovedWithTaskInside(t *testing.T) {
	m := setup(t)
	u := m.create(t, patch("sleeps-in-cold-part"), patch("sleeps-behind-jump"))
	g := boot(t, m)
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + " " + g.copy(u.deb, "u.deb"))
	g.patches("installed", u.id)
	g.enter()
	g.matches("removed", "dpkg -r linux-livesplice-"+m.kernel.Release, "stays loaded, disabled, until")
	g.patches("removed")
	g.modules("removed with a task inside", u.id)
	g.leave()
	g.sh("splicectl reconcile --retry; splicectl status")
	g.quiet("it left")
}

// TestHeldUpdate has an update of vmlinux and two modules stay loaded, and applies it again any number of times: with its
// modules there all the time, gone, and loaded again meanwhile.
func TestHeldUpdate(t *testing.T) {
	m := setup(t)
	u := m.create(t, patch("features-modules"))
	g := boot(t, m, "zram")
	heldUpdate(t, g, m, u)
	raceUpdate(t, g, u)
}

func heldUpdate(t *testing.T, g *guest, m *material, u update) {
	works := func(what string) {
		t.Helper()
		g.patches(what, u.id)
		g.expect(what+": vmlinux", "cut -d' ' -f1 /proc/version", "spliced")
		g.expect(what+": ext4", "touch /root/spliced; rm /root/spliced 2>&1 | sed 's/.*: //'", "Inappropriate ioctl for device")
		g.expect(what+": zram", "modprobe zram; cat /sys/block/zram0/disksize", "0 of zram, 42")
	}
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + "; modprobe zram")
	g.place(u, true)
	g.sh("splicectl reconcile")
	works("applied")
	meanwhile := []string{"true", "rmmod zram; modprobe zram", "rmmod zram"}
	for i := range cycles {
		between := meanwhile[i%len(meanwhile)]
		what := fmt.Sprintf("cycle %d, %s", i, between)
		g.matches(what, "splicectl undo "+u.id, "stays loaded, disabled, until the next boot, since addresses in it may be held: test: stays for a test")
		g.patches(what)
		g.modules(what, u.id)
		g.sh(between)
		g.expect(what+": vmlinux as shipped", "cut -d' ' -f1 /proc/version", "Linux")
		g.expect(what+": zram as shipped", "[ ! -d /sys/block/zram0 ] || cat /sys/block/zram0/disksize | grep -v '^0$'; true", "")
		g.sh("splicectl apply " + u.id)
		works(what)
		g.expect(what+": zram goes and comes while applied", "rmmod zram && modprobe zram && cat /sys/block/zram0/disksize", "0 of zram, 42")
		g.quiet(what)
	}
}

// raceUpdate writes to the parameter of an update that is enabled, and all the time while it is disabled and unloaded.
func raceUpdate(t *testing.T, g *guest, u update) {
	// It is enabled already; and no other value than 1 means anything.
	parameter := "/sys/module/livesplice_" + u.id + "/parameters/enable"
	g.expect("enabled already", "echo 1 > "+parameter+" 2>/dev/null; echo $?", "1")
	g.expect("0 is nothing", "echo 0 > "+parameter+" 2>/dev/null; echo $?", "1")
	g.expect("mode", "stat -c %a "+parameter, "200")
	// Written to all the time while it is disabled and unloaded: one of both is refused.
	begin := time.Now()
	g.sh("(while :; do echo 1 > " + parameter + "; done) 2>/dev/null & p=$!; for i in 1 2; do splicectl undo " + u.id + " > /dev/null; rmmod livesplice_" + u.id + " 2>/dev/null; done; kill $p; splicectl undo " + u.id + "; true")
	t.Logf("%v of writing", time.Since(begin))
	g.quiet("written to all the time")
}
