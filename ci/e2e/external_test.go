package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// tallySource is the source of the out-of-tree modules tally and meter.
const tallySource = "../../testdata/external/tally"

// tallyBuilt is the end of the folder that DKMS would build them in.
const tallyBuilt = "/var/lib/dkms/tally/1.0/build"

// shippedTally is a folder with tally.ko and meter.ko.xz, built as DKMS does it: by the kernel's kbuild in a folder of its
// own, debug information removed. Nothing of livesplice but the prepared tree has a part in it.
var shippedTally = sync.OnceValues(func() (string, error) {
	ctx := context.Background()
	m, err := shared()
	if err != nil {
		return "", err
	}
	c, err := cache.Open("")
	if err != nil {
		return "", err
	}
	src, err := source.Open(ctx, c, m.files.Source)
	if err != nil {
		return "", err
	}
	k, err := pkgfmt.OpenKernel(ctx, c, []string{m.files.Image, m.files.Headers, m.files.HeadersCommon})
	if err != nil {
		return "", err
	}
	tree, err := rebuild.Prepare(ctx, c, src, k, rebuild.Options{})
	if err != nil {
		return "", err
	}
	dir := m.dir + tallyBuilt
	return dir, sh(`mkdir -p "$1" && cp "$2"/* "$1" &&
		make -C "$3" O="$4" M="$1" ARCH=x86 CC="$5" HOSTCC="$5" KERNELRELEASE="$6" modules &&
		strip -g "$1"/*.ko && xz -k --check=crc32 "$1/meter.ko"`, dir, tallySource, tree.Source, tree.Object, tree.CC, k.Release)
})

// sh runs a script with arguments.
func sh(script string, args ...string) error {
	out, err := exec.Command("sh", append([]string{"-ec", script, "sh"}, args...)...).CombinedOutput()
	if err != nil {
		return &scriptError{string(out), err}
	}
	return nil
}

type scriptError struct {
	out string
	err error
}

func (e *scriptError) Error() string { return e.err.Error() + "\n" + e.out }

func tally(t *testing.T) string {
	t.Helper()
	dir, err := shippedTally()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestExternal applies an update for an out-of-tree module that is loaded and for another one that is loaded later and
// imports from it.
func TestExternal(t *testing.T) {
	m, dir := setup(t), tally(t)
	u := m.create(t, "--module-source", tallySource, "--module", dir+"/tally.ko", "--module", dir+"/meter.ko.xz", patch("external-tally"))
	g := boot(t, m)
	patched := func(what, want string) {
		t.Helper()
		g.expect(what, "cd /sys/kernel/livepatch/livesplice_"+u.id+" && grep -H . */patched", want)
	}
	add := func(n string) { g.sh("echo " + n + " > /proc/tally") }
	file := m.dir + tallyBuilt + "/proc.c"

	g.sh("insmod " + g.copy(dir+"/tally.ko", "tally.ko"))
	add("2")
	add("50") // of which 10 count
	g.expect("tally as shipped", "cat /proc/tally", "12 from "+file)
	g.quiet("before the update")

	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + " " + g.copy(u.deb, "u.deb"))
	g.patches("installed", u.id)
	patched("tally is loaded, meter is not", "meter/patched:0\ntally/patched:1")
	// The total is kept, and so is what __FILE__ says.
	g.expect("tally", "cat /proc/tally", "spliced: 12 from "+file)
	add("50") // of which 20 count, three times each, by a header
	g.expect("tally's other unit", "cat /proc/tally", "spliced: 72 from "+file)
	// Of the two functions of one name only one is replaced: the other goes on limiting what is shown.
	g.sh("for i in $(seq 20); do echo 50 > /proc/tally; done")
	g.expect("tally's other function", "cat /proc/tally", "spliced: 1000 from "+file)

	g.sh("insmod " + g.copy(dir+"/meter.ko", "meter.ko"))
	patched("meter is loaded", "meter/patched:1\ntally/patched:1")
	g.expect("meter, which calls tally", "cat /proc/meter", "spliced: 1275")
	g.quiet("while the update was applied")

	g.sh("splicectl undo " + u.id)
	g.patches("undone")
	g.expect("meter as shipped", "cat /proc/meter", "1275")
	add("1")
	g.expect("meter as shipped", "cat /proc/meter", "1276")
	g.expect("tally as shipped", "cat /proc/tally", "1000 from "+file)
	g.sh("rmmod meter tally && insmod /root/tally.ko && insmod /root/meter.ko")
	g.expect("loaded anew", "cat /proc/meter", "0")
	g.quiet("after it was undone")
}

// TestExternalPackage takes the modules from where DKMS installs them.
func TestExternalPackage(t *testing.T) {
	m, dir := setup(t), tally(t)
	root := t.TempDir()
	updates := filepath.Join(root, "lib/modules", m.kernel.Release, "updates/dkms")
	if err := sh(`mkdir -p "$2" && cp "$1/tally.ko" "$1/meter.ko.xz" "$2"`, dir, updates); err != nil {
		t.Fatal(err)
	}
	named := m.create(t, "--module-source", tallySource, "--module", dir+"/tally.ko", "--module", dir+"/meter.ko.xz", patch("external-tally"))
	found := m.create(t, "--module-source", tallySource, "--kernel", root, patch("external-tally"))
	if found.id != named.id {
		t.Errorf("update %s from a folder with the modules installed, want %s", found.id, named.id)
	}
}

// TestExternalRefused is what create says of modules and sources that do not fit.
func TestExternalRefused(t *testing.T) {
	m, dir := setup(t), tally(t)
	work := t.TempDir()
	other := filepath.Join(work, "other.ko")
	err := sh(`cd "$1"
		mkdir empty noobj changed tally moved && cp "$2"/* changed && cp "$2"/* tally && cp tally/Kbuild empty.ko
		echo 'ccflags-y := -DTALLY' > noobj/Kbuild
		sed -i 's/n > 10 ? 10/n > 11 ? 11/' changed/count.c && sed 's/n > 10 ? 10/n > 11 ? 11/' "$3" > changed.patch
		sed 's/vermagic=[^ ]*-amd64/vermagic=6.1.0-00-amd64/' "$4/tally.ko" > other.ko
		sed 's#build/proc\.c#build/proc_c#' "$4/tally.ko" > moved/tally.ko
		dpkg-deb --fsys-tarfile "$5" | tar -xO ./lib/modules/"$6"/kernel/fs/fat/vfat.ko > vfat.ko
		printf '%s\n' '#include <linux/module.h>' 'extern int nobody(void);' 'static int __init i(void) { return nobody(); }' 'module_init(i);' 'MODULE_LICENSE("GPL");' > tally/needs.c
		echo 'obj-m := needs.o' > tally/Kbuild`,
		work, abs(t, tallySource), abs(t, patch("external-tally")), dir, m.files.Image, m.kernel.Release)
	if err != nil {
		t.Fatal(err)
	}
	source, ko := []string{"--module-source", tallySource}, []string{"--module", dir + "/tally.ko", "--module", dir + "/meter.ko.xz"}
	fix := patch("external-tally")
	for _, tc := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"module of another kernel", append(source, "--module", other, fix), 5, `other.ko": a module of kernel 6.1.0-00-amd64, want one of ` + m.kernel.Release},
		{"module that the source does not make", append(source, "--module", work+"/vfat.ko", fix), 5, `vfat.ko": module vfat, want one that ` + tallySource + ` makes: tally, meter`},
		{"no module", append(source, "--module", work+"/empty.ko", fix), 2, `empty.ko": `},
		{"module twice", append(source, append(ko, "--module", other, fix)...), 5, `other.ko": a module of kernel`},
		{"module of two names", append(source, append(ko, "--module", dir+"/tally.ko", fix)...), 2, `are both module tally`},
		{"module nowhere", append(source, "--module", dir+"/tally.ko", fix), 2, `no module meter in it or in the others given`},
		{"module without source", append(ko, fix), 2, `flag "--module": the source of the module is needed too: --module-source`},
		{"source without Kbuild", append(ko, "--module-source", work+"/empty", fix), 2, `empty": a folder with neither, want source of an out-of-tree module: a folder with a Kbuild or Makefile that sets obj-m`},
		{"source without obj-m", append(ko, "--module-source", work+"/noobj", fix), 2, `noobj": one by which kbuild makes no module for this kernel, want source of an out-of-tree module: a Kbuild or Makefile that sets obj-m`},
		{"source that is none", append(ko, "--module-source", dir+"/tally.ko", fix), 2, `tally.ko": no folder`},
		{"source that needs another module", append(ko, "--module-source", work+"/tally", fix), 6, `symbol "nobody": neither the kernel nor a module of this source exports it; symbols of other out-of-tree modules (KBUILD_EXTRA_SYMBOLS) are not supported`},
		{"patch of the kernel", append(source, append(ko, patch("fcntl-immutable-hint"))...), 2, `file "fs/fcntl.c": is not in the source tree`},
		{"other source", append(ko, "--module-source", work+"/changed", work+"/changed.patch"), 5, `count.c: limit at `},
		{"folder of __FILE__ not known", append(source, "--module", work+"/moved/tally.ko", "--module", dir+"/meter.ko.xz", fix), 5, `the string "` + m.dir + tallyBuilt + `/proc_c", in source "proc.c"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			stdout, stderr, code := m.run(t, out, tc.args...)
			if code != tc.code || !strings.Contains(stderr, tc.want) || stdout != "" {
				t.Errorf("exit code %d, want %d and %s\n%s%s", code, tc.code, tc.want, stdout, stderr)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a folder for results is left")
			}
		})
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
