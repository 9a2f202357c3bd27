package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// TestFeatures applies patches that use everything which code in vmlinux can use, and looks at what they do.
func TestFeatures(t *testing.T) {
	m := setup(t)
	u := m.create(t, patch("features-proc-version"), patch("features-d-path"), patch("features-exec"), patch("features-sched"), patch("binfmt-elf-refuse"))
	g := boot(t, m)
	g.sh("cp /bin/true /root/spliced-exec; cp /bin/true /root/refused-exec; mkdir /root/d; touch /root/d/spliced-hidden /root/d/seen; mount -t tracefs none /sys/kernel/tracing || true")
	g.expect("before", "ls /root/d", "seen\nspliced-hidden")
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + " " + g.copy(u.deb, "u.deb"))
	g.patches("installed", u.id)

	// New functions, a table made of a switch, a new static local, new per-CPU and initialised data.
	g.expect("first read", "cat /proc/version | sed -n 1p", "reads one, 1, 1, total 41")
	g.expect("second read", "cat /proc/version | sed -n 1p", "reads two, 2, 2, total 42")
	// An unexported function; a static key of vmlinux that changes while the update is loaded; alternatives.
	g.expect("key off", "sed -n 2p /proc/version", "switches 1, schedstats off, alternative 1 1")
	g.sh("sysctl -q kernel.sched_schedstats=1")
	g.expect("key on", "sed -n 2p /proc/version", "switches 1, schedstats on, alternative 1 1")
	g.sh("sysctl -q kernel.sched_schedstats=0")
	g.expect("key off again", "sed -n 2p /proc/version", "switches 1, schedstats off, alternative 1 1")
	// A static function of which the kernel has several with the same name.
	g.expect("same-named static", removed, "/root/gone (removed)")
	// The body of a system call, which ftrace cannot redirect: its callers are.
	g.expect("notrace body", `perl -e 'my $b = "\0" x 390; syscall(63, $b) == 0 or die $!; print unpack("x325 Z65", $b)'`, "spliced")
	// Exception table: a bad pointer is an error and no oops.
	g.expect("hidden name", "ls /root/d", "seen")
	g.expect("bad pointer", `perl -e 'opendir(D, "/root/d"); open(F, "<", "/root/d"); print syscall(217, fileno(F), 0x1000, 4096) == -1 ? "error " . ($!+0) : "none"'`, "error 14")
	// Two units with the same static function.
	g.expect("refused by both", "/root/refused-exec 2>/dev/null; echo $?", "126")
	// A tracepoint: its key and static call belong to vmlinux.
	g.sh("echo 1 > /sys/kernel/tracing/events/sched/sched_process_exec/enable; /root/spliced-exec; echo 0 > /sys/kernel/tracing/events/sched/sched_process_exec/enable")
	if trace := g.sh("cat /sys/kernel/tracing/trace"); !strings.Contains(trace, "filename=/root/spliced-exec") || !regexp.MustCompile(`spliced-\d+ .*sched_process_exec`).MatchString(trace) {
		t.Errorf("the tracepoint in the patched function is silent:\n%s", trace)
	}
	g.quiet("while the features ran")

	g.sh("dpkg -r linux-livesplice-" + m.kernel.Release)
	g.expect("after", "cut -c1-13 /proc/version", "Linux version")
	g.expect("after", "ls /root/d", "seen\nspliced-hidden")
	g.expect("after", removed, "/root/gone (deleted)")
	g.expect("after", "/root/refused-exec; echo $?", "0")
	g.patches("removed")
	g.quiet("after the removal")
}

// TestWarn runs a WARN of patched code: the kernel must know its place from the module's own table.
func TestWarn(t *testing.T) {
	m := setup(t)
	u := m.create(t, patch("warn-cmdline"))
	g := boot(t, m)
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + " " + g.copy(u.deb, "u.deb"))
	g.sh("cat /proc/cmdline")
	log := g.sh("dmesg")
	for _, want := range []string{
		`WARNING: CPU: \d+ PID: \d+ at fs/proc/cmdline\.c:\d+ cmdline_proc_show\+0x[0-9a-f]+/0x[0-9a-f]+ \[livesplice_` + u.id + `\]`,
		`read by a test`,
		`seq_read_iter`, // the stack goes on past the patched function: its unwind data are right
	} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("the kernel's log does not match %s:\n%s", want, log)
		}
	}
	g.expect("the machine goes on", "splicectl undo --all > /dev/null; ls /sys/kernel/livepatch", "")
}
