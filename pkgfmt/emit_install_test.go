package pkgfmt

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is a folder with just enough in it to run maintainer scripts in it: a
// shell and rm. No /proc is mounted there, as in the building of an image.
type root struct {
	t   *testing.T
	dir string
}

func newRoot(t *testing.T) *root {
	t.Helper()
	r := &root{t: t, dir: t.TempDir()}
	if err := os.Chmod(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/rpm", "tmp", "dev", "usr/sbin"} {
		if err := os.MkdirAll(filepath.Join(r.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.write("var/lib/dpkg/status", "", 0o644)
	r.write("dev/null", "", 0o666)
	r.program("dash", "bin/sh")
	r.program("rm", "bin/rm")
	return r
}

// program copies a program of this machine and the libraries that it needs.
func (r *root) program(name, dst string) {
	r.t.Helper()
	path, err := filepath.EvalSymlinks(lookPath(r.t, name))
	if err != nil {
		r.t.Fatal(err)
	}
	r.copy(path, dst)
	for _, lib := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(does(r.t, "ldd", path), -1) {
		r.copy(lib[1], lib[1])
	}
}

func lookPath(t *testing.T, name string) string {
	for _, dir := range []string{"/usr/bin", "/bin"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	t.Fatalf("%s is missing: install the package %s", name, emitTools[name])
	return ""
}

func (r *root) copy(src, dst string) {
	r.t.Helper()
	data, err := os.ReadFile(src)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(dst, string(data), 0o755)
}

func (r *root) write(rel, text string, mode os.FileMode) {
	r.t.Helper()
	path := filepath.Join(r.dir, rel)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		r.t.Fatal(err)
	}
}

func (r *root) read(rel string) string {
	data, err := os.ReadFile(filepath.Join(r.dir, rel))
	if err != nil {
		r.t.Error(err)
	}
	return string(data)
}

func (r *root) exists(rel string) bool {
	_, err := os.Lstat(filepath.Join(r.dir, rel))
	return err == nil
}

// manage runs the package manager on the root; it must succeed. Whoever is not
// root does it in a user namespace.
func (r *root) manage(name string, args ...string) string {
	r.t.Helper()
	switch name {
	case "dpkg":
		// /sbin and the tools that dpkg wants to see there are the machine's.
		args = append([]string{"--root=" + r.dir, "--log=/dev/null"}, args...)
	case "rpm":
		args = append([]string{"--root=" + r.dir, "--dbpath=/var/lib/rpm", "--define", "_install_script_path /bin:/usr/sbin"}, args...)
	}
	if os.Getuid() != 0 {
		args = append([]string{"--map-root-user", name}, args...)
		name = "unshare"
	}
	return does(r.t, name, args...)
}

// record puts a shell script in the place of splicectl that writes down how it
// is called, and ends with the exit code in the file /exit.
func (r *root) record() {
	r.write("calls", "", 0o666)
	r.write("exit", "0\n", 0o644)
	r.write("usr/sbin/splicectl", "#!/bin/sh\nread code </exit\necho \"$*\" >>/calls\nexit $code\n", 0o755)
}

// calls asserts how splicectl was called since the last time.
func (r *root) calls(what string, want ...string) {
	r.t.Helper()
	got := strings.FieldsFunc(r.read("calls"), func(c rune) bool { return c == '\n' })
	if !slices.Equal(got, want) {
		r.t.Errorf("%s: splicectl was called as %q, want %q", what, got, want)
	}
	r.write("calls", "", 0o666)
}

// With the real splicectl: an image is being built, so updates are pending.
func TestInstallIntoAnImage(t *testing.T) {
	for _, format := range []Format{FormatDeb, FormatRPM} {
		t.Run(format.String(), func(t *testing.T) {
			r := newRoot(t)
			host, update := emitHost(t, format), emitUpdate(t, updateSpec("0badcafe", 1, false), format)
			var out string
			if format == FormatDeb {
				out = r.manage("dpkg", "-i", host, update)
				if s := r.status("linux-livesplice-6.1.0-54-amd64"); s != "install ok installed" {
					t.Errorf("status %q", s)
				}
			} else {
				out = r.manage("rpm", "-iv", host, update)
			}
			if want := "pending 0badcafe: no /proc is mounted"; !strings.Contains(out, want) {
				t.Errorf("%q is not in %s", want, out)
			}
			if got := r.read("var/lib/livesplice/state.json"); !strings.Contains(got, `"state": "pending"`) {
				t.Errorf("state: %s", got)
			}
			if format == FormatDeb {
				r.manage("dpkg", "--purge", "linux-livesplice-6.1.0-54-amd64", "splicectl")
			} else {
				r.manage("rpm", "-e", "kernel-livesplice-6.1.0-54-amd64", "splicectl")
			}
			for _, rel := range []string{"usr/lib/livesplice", "usr/sbin/splicectl", "var/lib/livesplice"} {
				if r.exists(rel) {
					t.Errorf("/%s is left", rel)
				}
			}
		})
	}
}

// status returns the state of a package as dpkg has it.
func (r *root) status(name string) string {
	r.t.Helper()
	return does(r.t, "dpkg-query", "--admindir="+filepath.Join(r.dir, "var/lib/dpkg"), "-W", "-f", "${Status}", name)
}

func TestDpkgCallsSplicectl(t *testing.T) {
	const name = "linux-livesplice-6.1.0-54-amd64"
	r := newRoot(t)
	r.manage("dpkg", "-i", emitHost(t, FormatDeb))
	r.record()

	r.manage("dpkg", "-i", emitUpdate(t, updateSpec("aaaaaaaa", 1, false), FormatDeb))
	r.calls("installation", "reconcile")

	// The old revision's module stays until the new one takes its place.
	r.manage("dpkg", "-i", emitUpdate(t, updateSpec("bbbbbbbb", 2, false), FormatDeb))
	r.calls("upgrade", "reconcile")
	if r.exists(updateDir+"/aaaaaaaa") || !r.exists(updateDir+"/bbbbbbbb/manifest.json") {
		t.Error("the upgrade left the old files or brought no new ones")
	}

	// One run of splicectl for all that one run of dpkg installs.
	r.manage("dpkg", "-i", emitUpdate(t, updateSpec("cccccccc", 1, true), FormatDeb), emitUpdate(t, updateSpec("dddddddd", 1, true), FormatDeb))
	r.calls("two at once", "reconcile")
	r.manage("dpkg", "-r", name+"-cccccccc", name+"-dddddddd")
	r.calls("removal of two", "undo --forget cccccccc", "undo --forget dddddddd", "reconcile")

	// A kernel that cannot be changed now leaves no package half-installed.
	r.write("exit", "3\n", 0o644)
	r.manage("dpkg", "-i", emitUpdate(t, updateSpec("eeeeeeee", 3, false), FormatDeb))
	r.calls("blocked upgrade", "reconcile")
	if s := r.status(name); s != "install ok installed" {
		t.Errorf("status %q", s)
	}
	r.manage("dpkg", "-r", name)
	r.calls("blocked removal", "undo --forget eeeeeeee", "reconcile")
	if r.exists(updateDir + "/eeeeeeee") {
		t.Error("the removal left files")
	}
	r.manage("dpkg", "-r", "splicectl")
	r.calls("removal of splicectl", "undo --all --forget")
}

func TestRPMCallsSplicectl(t *testing.T) {
	const name = "kernel-livesplice-6.1.0-54-amd64"
	r := newRoot(t)
	r.manage("rpm", "-i", emitHost(t, FormatRPM))
	r.record()

	r.manage("rpm", "-i", emitUpdate(t, updateSpec("aaaaaaaa", 1, false), FormatRPM))
	r.calls("installation", "reconcile")

	r.manage("rpm", "-U", emitUpdate(t, updateSpec("bbbbbbbb", 2, false), FormatRPM))
	r.calls("upgrade", "reconcile")
	if r.exists(updateDir+"/aaaaaaaa") || !r.exists(updateDir+"/bbbbbbbb/manifest.json") {
		t.Error("the upgrade left the old files or brought no new ones")
	}

	r.write("exit", "3\n", 0o644)
	r.manage("rpm", "-U", emitUpdate(t, updateSpec("cccccccc", 3, false), FormatRPM))
	r.calls("blocked upgrade", "reconcile")
	r.manage("rpm", "-e", name)
	r.calls("blocked removal", "undo --forget cccccccc", "reconcile --retry")
	if r.exists(updateDir) {
		t.Error("the removal left files")
	}
	r.manage("rpm", "-e", "--noscripts", "splicectl")
}
