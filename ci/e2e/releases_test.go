package e2e

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"livesplice/ci/archive"
	"livesplice/ci/vm"
	"livesplice/pipeline/process"
)

// release is a kernel of another Debian release with its tools.
type release struct {
	kernel archive.Kernel
	files  archive.Files
	root   string
	config string // the shipped .config
	cpus   int    // of the VM; 0: the default

	patches [3]string // of fs/proc/version.c, fs/d_path.c and ext4, in this release's form
	ext4    string    // the function of ext4 that the last one changes
	patched string    // what the folder of an object in sysfs says; livepatch has that since 6.1
}

func openRelease(t *testing.T, suite string) *release {
	t.Helper()
	a, err := archive.OpenSuite("", suite)
	if err != nil {
		t.Fatal(err)
	}
	r := &release{}
	if r.kernel, err = a.Newest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.files, err = r.kernel.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.root, err = r.kernel.ToolchainRoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/src/linux-headers-$2/.config"`, "sh", r.files.Headers, r.kernel.Release)
	out, err := cmd.Output()
	if err != nil || len(out) == 0 {
		t.Fatalf("file %q: .config: %v", r.files.Headers, err)
	}
	r.config = string(out)
	t.Logf("%s %s, root %s", r.kernel.Release, r.kernel.Version, r.root)
	return r
}

// option is the value of an option of the shipped .config, without quotes.
func (r *release) option(name string) string {
	m := regexp.MustCompile(`(?m)^CONFIG_` + name + `="?(.*?)"?$`).FindStringSubmatch(r.config)
	if m == nil {
		return ""
	}
	return m[1]
}

// run calls livesplice create with the release's packages.
func (r *release) run(t *testing.T, m *material, out string, extra ...string) (stdout, stderr string, code int) {
	t.Helper()
	args := []string{"create", "--source", r.files.Source, "--toolchain-root", r.root, "--out", out}
	for _, p := range r.files.Kernel() {
		args = append(args, "--kernel", p)
	}
	cmd := exec.Command(m.livesplice, append(args, extra...)...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// movedOn names the first tool of the root that is another one than the kernel was built with, by what the tool says of
// itself; "" if all are the same. In sid a tool can be newer than the last upload of the kernel.
func (r *release) movedOn(t *testing.T) (want string) {
	t.Helper()
	version := func(program string) string {
		res, err := process.Run(t.Context(), process.Cmd{Path: program, Args: []string{"--version"}, Root: &process.Root{Dir: r.root}})
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(res.Stdout), "\n")
		return line
	}
	number := func(text string, factors ...int) string {
		m := regexp.MustCompile(`\d+(\.\d+)+$|v\d+\.\d+$`).FindString(text)
		n := 0
		for i, part := range strings.Split(strings.TrimPrefix(m, "v"), ".") {
			if v, err := strconv.Atoi(part); err == nil && i < len(factors) {
				n += v * factors[i]
			}
		}
		return strconv.Itoa(n)
	}
	linker := []int{10000, 100, 1}
	if len(r.option("LD_VERSION")) == len("235020000") { // until 5.11
		linker = []int{100000000, 1000000, 10000}
	}
	compiler := r.option("CC_VERSION_TEXT")
	program, _, _ := strings.Cut(compiler, " ")
	switch {
	case version(program) != compiler:
		return compiler
	case number(version("ld"), linker...) != r.option("LD_VERSION"):
		return "CONFIG_LD_VERSION=" + r.option("LD_VERSION")
	case r.option("PAHOLE_VERSION") != "" && number(version("pahole"), 100, 1) != r.option("PAHOLE_VERSION"):
		return "CONFIG_PAHOLE_VERSION=" + r.option("PAHOLE_VERSION")
	}
	return ""
}

// TestReleases makes updates for the kernels of Debian 11 (5.10, gcc 10, objtool by object), of Debian 13 (IBT, call
// padding, gcc 14) and of sid, each with the tools of its release, and applies and removes them in a VM.
func TestReleases(t *testing.T) {
	m := setup(t)
	for _, suite := range []string{"bullseye", "trixie", "sid"} {
		t.Run(suite, func(t *testing.T) {
			r := openRelease(t, suite)
			r.patches, r.ext4, r.patched = [3]string{"features-proc-version", "features-d-path", "ext4-get-link"}, "ext4_get_link", "\n1"
			switch suite {
			case "bullseye":
				r.patches, r.ext4, r.patched = [3]string{"features-proc-version-5.10", "features-d-path-5.10", "ext4-lookup-5.10"}, "ext4_lookup", ""
			case "sid":
				// Since 6.17 schedule() has a jump label that livepatch switches at the begin and end of each transition. An
				// emulated second CPU has once run the breakpoint there after it was gone (QEMU 7.2, TCG), and the kernel died.
				r.cpus = 1
			}
			if want := r.movedOn(t); want != "" {
				if _, stderr, code := r.run(t, m, t.TempDir(), patch(r.patches[1])); code != 5 || !strings.Contains(stderr, want) {
					t.Errorf("the root's tools are not those of the kernel: exit code %d, want 5 and %q\n%s", code, want, stderr)
				}
				return
			}
			r.apply(t, m, r.create(t, m, patch(r.patches[0]), patch(r.patches[1]), patch(r.patches[2])), r.create(t, m, patch("warn-cmdline")))
		})
	}
}

// create makes an update.
func (r *release) create(t *testing.T, m *material, patches ...string) (u update) {
	t.Helper()
	out := t.TempDir()
	stdout, stderr, code := r.run(t, m, out, append([]string{"--format", "deb"}, patches...)...)
	if code != 0 {
		t.Fatalf("create: exit code %d\n%s%s", code, stdout, stderr)
	}
	var err error
	if u.deb, err = only(filepath.Join(out, "*.deb")); err != nil {
		t.Fatal(err)
	}
	if u.folder, err = only(filepath.Join(out, "livesplice-????????")); err != nil {
		t.Fatal(err)
	}
	u.id = strings.TrimPrefix(filepath.Base(u.folder), "livesplice-")
	return u
}

// readLink reads a symbolic link that is too long to be kept in its inode, and that no lookup before has left in the kernel's cache.
const readLink = `echo 2 >/proc/sys/vm/drop_caches; perl -e 'symlink("long/" x 20, "/root/spliced"); print readlink("/root/spliced") // $!'`

// apply installs an update, looks at what it does, and removes it; then it installs another one, which warns.
func (r *release) apply(t *testing.T, m *material, u, warning update) {
	t.Helper()
	g := &guest{VM: vm.ForTest(t, vm.Config{Image: r.files.Image, Parts: r.files.Parts(), CPUs: r.cpus}), t: t}
	var err error
	if g.mark, err = g.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.expect("before", "uname -r", r.kernel.Release)
	g.expect("before", removed, "/root/gone (deleted)")
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + " " + g.copy(u.deb, "u.deb"))
	g.patches("installed", u.id)
	g.modules("installed", u.id)
	g.expect("functions", "cd /sys/kernel/livepatch/*/vmlinux && ls -d *,* && if [ -e patched ]; then cat patched; fi", "d_path,1\nversion_proc_show,1"+r.patched)
	// New functions, a table made of a switch, a new static local, new per-CPU and initialised data; a static key of
	// vmlinux that changes while the update is loaded; alternatives.
	g.expect("first read", "sed -n 1p /proc/version", "reads one, 1, 1, total 41")
	g.expect("second read", "sed -n 1p /proc/version", "reads two, 2, 2, total 42")
	g.expect("key off", "sed -n 2p /proc/version", "switches 1, schedstats off, alternative 1 1")
	g.sh("sysctl -q kernel.sched_schedstats=1")
	g.expect("key on", "sed -n 2p /proc/version", "switches 1, schedstats on, alternative 1 1")
	g.expect("same-named static", removed, "/root/gone (removed)")
	g.expect("a module's function", "cd /sys/kernel/livepatch/*/ext4 && ls -d "+r.ext4+",* && if [ -e patched ]; then cat patched; fi", r.ext4+",1"+r.patched)
	g.expect("a module's function", readLink, "Inappropriate ioctl for device")
	g.quiet("while the update ran")

	g.sh("dpkg -r linux-livesplice-" + r.kernel.Release)
	g.expect("after", versionWord, "Linux version")
	g.expect("after", removed, "/root/gone (deleted)")
	g.expect("after", readLink, strings.Repeat("long/", 20))
	g.patches("removed")
	g.modules("removed", u.left(t)...)
	g.quiet("after the removal")

	// It stays loaded and enables itself again, with the module that it patches there all the time.
	g.place(u, true)
	g.sh("splicectl reconcile")
	for range 2 {
		g.matches("undone", "splicectl undo "+u.id, "stays loaded, disabled, until the next boot")
		g.patches("undone")
		g.modules("undone", u.id)
		g.expect("undone", removed, "/root/gone (deleted)")
		g.sh("splicectl apply " + u.id)
		g.patches("applied again", u.id)
		g.expect("applied again", removed, "/root/gone (removed)")
		g.expect("applied again, a module's function", readLink, "Inappropriate ioctl for device")
		g.quiet("applied again")
	}
	g.sh("rm -r /usr/lib/livesplice/*/" + u.id + " && splicectl reconcile")
	g.patches("its files are gone")

	// A WARN of patched code: the kernel must know its place from the module's own table, and unwind through the module.
	g.sh("dpkg -i " + g.copy(warning.deb, "warning.deb") + " && cat /proc/cmdline")
	log := g.sh("dmesg")
	for _, want := range []string{`WARNING: .*fs/proc/cmdline\.c:\d+`, `read by a test`, `cmdline_proc_show\+0x[0-9a-f]+/0x[0-9a-f]+ \[livesplice_` + warning.id + `\]`, `seq_read_iter`} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("the kernel's log does not match %s:\n%s", want, log)
		}
	}
	g.expect("the machine goes on", "splicectl undo --all > /dev/null; ls /sys/kernel/livepatch", "")
}
