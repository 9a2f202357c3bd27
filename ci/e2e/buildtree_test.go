package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	textdiff "github.com/rogpeppe/go-internal/diff"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/rebuild"
	"livesplice/pipeline/source"
	"livesplice/pkgfmt"
)

// build is a finished kernel build of which only some folders were built: kbuild's own work, as far as it goes.
type build struct{ Source, Object, Image string }

// someBuilt makes folders of the shipped kernel by kbuild, in an O= folder. What only the whole kernel's build leaves is
// added: the list of all modules.
var someBuilt = sync.OnceValues(func() (*build, error) {
	ctx := context.Background()
	m, err := shared()
	if err != nil {
		return nil, err
	}
	c, err := cache.Open("")
	if err != nil {
		return nil, err
	}
	src, err := source.Open(ctx, c, m.files.Source)
	if err != nil {
		return nil, err
	}
	k, err := pkgfmt.OpenKernel(ctx, c, []string{m.files.Image, m.files.Headers, m.files.HeadersCommon})
	if err != nil {
		return nil, err
	}
	tree, err := rebuild.Prepare(ctx, c, src, k, rebuild.Options{})
	if err != nil {
		return nil, err
	}
	b := &build{Source: tree.Source, Object: filepath.Join(m.dir, "finished"), Image: m.files.Image}
	return b, sh(`cp -a --reflink=auto "$1" "$2" && make -j"$(nproc)" -C "$3" O="$2" ARCH=x86 CC="$4" HOSTCC="$4" KERNELRELEASE="$5" \
			fs/proc/ arch/x86/entry/ arch/x86/lib/ arch/x86/kernel/vmlinux.lds arch/x86/boot/string.o drivers/block/loop.o &&
		cd "$2" && find . -mindepth 2 -name modules.order -exec cat {} + | sort -u >modules.order`,
		tree.Object, b.Object, tree.Source, tree.CC, k.Release)
})

func built(t *testing.T) *build {
	t.Helper()
	b, err := someBuilt()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// edit is one replacement in a file of the source.
type edit struct{ file, old, new string }

// patchOf writes a patch of the source; of each edit the first place counts.
func patchOf(t *testing.T, source string, edits ...edit) string {
	t.Helper()
	var text []byte
	for _, e := range edits {
		before, err := os.ReadFile(filepath.Join(source, e.file))
		if err != nil {
			t.Fatal(err)
		}
		after := bytes.Replace(before, []byte(e.old), []byte(e.new), 1)
		if bytes.Equal(before, after) {
			t.Fatalf("%s: no %q in it", e.file, e.old)
		}
		_, d, _ := bytes.Cut(textdiff.Diff("a/"+e.file, before, "b/"+e.file, after), []byte("\n"))
		text = append(text, d...)
	}
	path := filepath.Join(t.TempDir(), "change.patch")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// listing is all of a folder: names, kinds, sizes and times.
func listing(t *testing.T, dir string) [32]byte {
	t.Helper()
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err == nil {
			fmt.Fprintln(sum, path, st.Mode(), st.Size(), st.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(sum.Sum(nil))
}

// readOnly runs livesplice create where build folder and source are mounted read-only.
func (m *material) readOnly(t *testing.T, k *build, out string, extra ...string) (stdout, stderr string, code int) {
	t.Helper()
	const script = `mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"
		mount --bind "$2" "$2"; mount -o remount,bind,ro "$2"
		if touch "$1/probe" 2>/dev/null; then echo "the build folder can be written to" >&2; exit 99; fi
		shift 2; exec "$@"`
	args := append([]string{"--map-root-user", "--mount", "sh", "-ec", script, "sh", k.Source, k.Object, m.livesplice, "create", "--build-tree", k.Object, "--kernel", k.Image, "--out", out}, extra...)
	cmd := exec.Command("unshare", args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// TestBuildTree patches a header and a source file by the finished build, which nothing may write to.
func TestBuildTree(t *testing.T) {
	m, k := setup(t), built(t)
	before := [2][32]byte{listing(t, k.Object), listing(t, k.Source)}
	const header = "fs/proc/internal.h"
	change := patchOf(t, k.Source,
		edit{header, "\treturn pde->flags & PROC_ENTRY_PERMANENT;", "\treturn (pde->flags & PROC_ENTRY_PERMANENT) && pde->name;"},
		edit{"fs/proc/version.c", "\tseq_printf(m, linux_proc_banner,", "\tseq_puts(m, \"Spliced: \");\n\tseq_printf(m, linux_proc_banner,"})
	out := t.TempDir()
	stdout, stderr, code := m.readOnly(t, k, out, change)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if after := [2][32]byte{listing(t, k.Object), listing(t, k.Source)}; after != before {
		t.Error("the build folder or the source changed")
	}
	folder, err := only(filepath.Join(out, "livesplice-????????"))
	if err != nil {
		t.Fatal(err)
	}
	var plan struct{ Units []struct{ Object string } }
	readJSON(t, filepath.Join(folder, "plan.json"), &plan)
	var units []string
	for _, u := range plan.Units {
		units = append(units, u.Object)
	}
	// The dependents as grep finds them in what kbuild left, by the name of the .cmd file.
	found, err := exec.Command("sh", "-ec", `cd "$1" && grep -rlE --include='.*.o.cmd' "[ /]fs/proc/internal\.h" . | sed 's,^\./,,; s,/\.\([^/]*\)\.cmd$,/\1,' | sort`, "sh", k.Object).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(found))
	slices.Sort(units)
	if len(want) < 10 || !slices.Equal(units, want) {
		t.Errorf("units %q\nwant %q", units, want)
	}
	var report struct {
		Units []struct {
			Source   string
			Replaced []struct{ Name, Proof string }
		}
	}
	readJSON(t, filepath.Join(folder, "report.json"), &report)
	var replaced []string
	for _, u := range report.Units {
		for _, f := range u.Replaced {
			replaced = append(replaced, u.Source+" "+f.Name)
		}
	}
	for _, w := range []string{"fs/proc/generic.c remove_proc_subtree", "fs/proc/inode.c proc_reg_read", "fs/proc/inode.c proc_reg_open", "fs/proc/version.c version_proc_show"} {
		if !slices.Contains(replaced, w) {
			t.Errorf("%s is not replaced, but only %q", w, replaced)
		}
	}
	deb, err := only(filepath.Join(out, "*.deb"))
	if err != nil {
		t.Fatal(err)
	}
	g := boot(t, m)
	id := strings.TrimPrefix(filepath.Base(folder), "livesplice-")
	g.sh("dpkg -i " + g.copy(m.hostDeb, "splicectl.deb") + " " + g.copy(deb, "u.deb"))
	g.patches("installed", id)
	g.expect("/proc/version", "cut -c1-16 /proc/version", "Spliced: Linux v")
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestBuildTreeBesideUnits patches what is no unit: either it comes out as it was, which makes no update, or it is refused.
func TestBuildTreeBesideUnits(t *testing.T) {
	m, k := setup(t), built(t)
	const same, refused = 3, 4
	for _, tc := range []struct {
		name  string
		edits []edit
		code  int
		want  string
	}{
		{"assembly, a comment", []edit{{"arch/x86/entry/thunk_64.S", "#include <linux/linkage.h>", "#include <linux/linkage.h> /* same */"}}, same, "the patch changes no object code"},
		{"assembly", []edit{{"arch/x86/lib/copy_page_64.S", "movl\t$4096/8, %ecx", "nop\n\tmovl\t$4096/8, %ecx"}}, refused,
			"refused: arch/x86/lib/copy_page_64.S: arch/x86/lib/copy_page_64.o: the object comes out otherwise, and assembly code cannot be replaced function by function [assembly-changed]"},
		{"vDSO, a comment", []edit{{"arch/x86/entry/vdso/vclock_gettime.c", "#include <linux/time.h>", "#include <linux/time.h> /* same */"}}, same, "the patch changes no object code"},
		{"vDSO", []edit{{"arch/x86/entry/vdso/vclock_gettime.c", "return __cvdso_time(t);", "return __cvdso_time(t) + 1;"}}, refused,
			"refused: arch/x86/entry/vdso/vclock_gettime.c: arch/x86/entry/vdso/vclock_gettime.o: the object comes out otherwise, and it is part of a program of its own"},
		{"boot code", []edit{{"arch/x86/boot/string.c", "int strncmp(const char *cs, const char *ct, size_t count)\n{", "int strncmp(const char *cs, const char *ct, size_t count)\n{\n\tif (count == 77)\n\t\treturn 5;"}}, refused,
			"[separate-program]"},
		{"a library's code", []edit{{"arch/x86/lib/misc.c", "\tlong long m = 10;", "\tlong long m = 11;"}}, 0, ""},
		{"constants for assembly", []edit{{"kernel/bounds.c", "DEFINE(NR_PAGEFLAGS, __NR_PAGEFLAGS);", "DEFINE(NR_PAGEFLAGS, __NR_PAGEFLAGS + 1);"}}, refused,
			"refused: kernel/bounds.c: kernel/bounds.s: it comes out otherwise, or may"},
		{"constants for assembly, a comment", []edit{{"kernel/bounds.c", "#define __GENERATING_BOUNDS_H", "/* same */\n#define __GENERATING_BOUNDS_H"}}, same, "the patch changes no object code"},
		{"a generated header", []edit{{"kernel/time/timeconst.bc", "scale=0", "scale=1"}}, refused, "by Kbuild, the build makes other files from it"},
		{"system calls", []edit{{"arch/x86/entry/syscalls/syscall_64.tbl", "sys_read", "sys_write"}}, refused, "arch/x86/include/generated/"},
		{"the linker script", []edit{{"arch/x86/kernel/vmlinux.lds.S", "ENTRY(phys_startup_64)", "ENTRY(startup_64)"}}, refused, "arch/x86/kernel/vmlinux.lds: it comes out otherwise"},
		{"the linker script, a comment", []edit{{"arch/x86/kernel/vmlinux.lds.S", "ENTRY(phys_startup_64)", "ENTRY(phys_startup_64) /* same */"}}, same, "the patch changes no object code"},
		{"configuration", []edit{{"fs/Kconfig", "config FS_IOMAP", "config FS_NOMAP"}}, refused, "[config-changed]"},
		{"the build", []edit{{"fs/Makefile", "obj-y", "obj-m"}}, refused, "[config-changed]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stdout, stderr, code := m.readOnly(t, k, t.TempDir(), patchOf(t, k.Source, tc.edits...))
			if code != tc.code || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit code %d, want %d with %q\n%s%s", code, tc.code, tc.want, stdout, stderr)
			}
		})
	}
}

// TestBuildTreeIsChecked gives builds that are not those of the shipped kernel.
func TestBuildTreeIsChecked(t *testing.T) {
	m, k := setup(t), built(t)
	change := patchOf(t, k.Source, edit{"fs/proc/version.c", "linux_proc_banner,", "linux_proc_banner, "})
	tree := filepath.Join(t.TempDir(), "obj")
	if err := sh(`cp -a --reflink=auto "$1" "$2"`, k.Object, tree); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, script string
		code         int
		want         string
	}{
		{"another source", "", 2, `flag "--source": the build tree was built from`},
		{"built again", `echo 'int _start;' | gcc-12 -nostdlib -Wl,--build-id=0xabcdef -x c -o vmlinux -`, 5, `vmlinux": build-id abcdef, want build-id`},
		{"another option", `rm vmlinux; sed -i 's/^CONFIG_NR_CPUS=.*/CONFIG_NR_CPUS=4/' .config`, 5, "CONFIG_NR_CPUS=4"},
		{"another release", `echo '#define UTS_RELEASE "6.1.0-other"' >include/generated/utsrelease.h`, 5, "a build of release 6.1.0-other, want release " + m.kernel.Release},
		{"cleaned", "rm scripts/mod/modpost modules.order Module.symvers", 2, "one without scripts/mod/modpost, Module.symvers, modules.order: not finished, or cleaned since"},
		{"not configured", "rm .config", 2, "a folder without a .config"},
	} {
		cmd := exec.Command("sh", "-ec", tc.script)
		cmd.Dir = tree
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", tc.name, err, text)
		}
		args := []string{"create", "--build-tree", tree, "--kernel", k.Image, "--out", t.TempDir(), change}
		if tc.script == "" {
			args = append(args, "--source", m.files.Source)
		}
		cmd = exec.Command(m.livesplice, args...)
		text, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != tc.code || !strings.Contains(string(text), tc.want) {
			t.Errorf("%s: %v, want exit code %d with %q\n%s", tc.name, err, tc.code, tc.want, text)
		}
	}
}
