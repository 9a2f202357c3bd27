package vm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"livesplice/ci/archive"
)

// newestImage is the linux-image package of the newest kernel in the archive.
var newestImage = sync.OnceValues(func() (string, error) {
	kernels, err := archive.Kernels(context.Background(), "6.1")
	if err != nil {
		return "", err
	}
	files, err := kernels[len(kernels)-1].Fetch(context.Background())
	return files.Image, err
})

func image(t *testing.T) string {
	t.Helper()
	path, err := newestImage()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// One machine serves all that does not end it.
func TestMachine(t *testing.T) {
	v := ForTest(t, Config{Image: image(t), Modules: []string{"dummy"}})
	t.Run("run", func(t *testing.T) { testRun(t, v) })
	t.Run("kernel is the shipped one", func(t *testing.T) { testShippedKernel(t, v) })
	t.Run("background process", func(t *testing.T) { testBackground(t, v) })
	t.Run("cancelled script", func(t *testing.T) { testCancel(t, v) })
	t.Run("big output", func(t *testing.T) { testBigOutput(t, v) })
	t.Run("copy", func(t *testing.T) { testCopy(t, v) })
	t.Run("concurrent scripts", func(t *testing.T) { testConcurrent(t, v) })
	t.Run("package databases", func(t *testing.T) { testPackages(t, v) })
	t.Run("modprobe", func(t *testing.T) { testModprobe(t, v) })
	t.Run("kernel log", func(t *testing.T) { testKernelLog(t, v) })
	t.Run("reboot", func(t *testing.T) { testReboot(t, v) })
}

func testRun(t *testing.T, v *VM) {
	for _, tc := range []struct {
		script string
		want   Result
	}{
		{"echo out; echo err >&2; exit 7", Result{"out\n", "err\n", 7}},
		{"true", Result{}},
		{"kill -TERM $$", Result{"", "", 143}},
		{"printf 'a\\0b'; id -u; pwd", Result{"a\x00b0\n/root\n", "", 0}},
		{"cat", Result{}}, // standard input is empty
	} {
		got, err := v.Run(t.Context(), tc.script)
		if err != nil || got != tc.want {
			t.Errorf("%q: %+v, %v; want %+v", tc.script, got, err, tc.want)
		}
	}
}

func testShippedKernel(t *testing.T, v *VM) {
	kernels, err := archive.Kernels(t.Context(), "6.1")
	if err != nil {
		t.Fatal(err)
	}
	k := kernels[len(kernels)-1]
	if v.Release() != k.Release {
		t.Errorf("release %q, want %q", v.Release(), k.Release)
	}
	// The kernel names its Debian version in its banner.
	if banner := v.MustRun(t.Context(), t, "cat /proc/version"); !strings.Contains(banner, " Debian "+k.Version+" ") {
		t.Errorf("banner %q does not name Debian %s", banner, k.Version)
	}
	if !strings.Contains(v.Console(), "Linux version "+k.Release) {
		t.Error("the console does not hold the kernel's first message")
	}
}

func testBackground(t *testing.T, v *VM) {
	begin := time.Now()
	pid := strings.TrimSpace(v.MustRun(t.Context(), t, "sleep 1000 & echo $!"))
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("the script took %v: it waited for its background process", d)
	}
	v.MustRun(t.Context(), t, "kill "+pid)
}

func testCancel(t *testing.T, v *VM) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	res, err := v.Run(ctx, "echo before; sleep 4711; echo after")
	if !errors.Is(err, context.DeadlineExceeded) || res.Stdout != "before\n" {
		t.Errorf("%+v, %v; want the output before the end, and DeadlineExceeded", res, err)
	}
	if res, err := v.Run(t.Context(), "pgrep -f 'sleep 4711'"); err != nil || res.ExitCode != 1 {
		t.Errorf("the script's child lives on: %+v, %v", res, err)
	}
}

func testBigOutput(t *testing.T, v *VM) {
	out := v.MustRun(t.Context(), t, "head -c 20000000 /dev/zero | tr '\\0' x")
	if len(out) != 20000000 || strings.Trim(out, "x") != "" {
		t.Errorf("%d bytes, want 20000000 of x", len(out))
	}
}

func testCopy(t *testing.T, v *VM) {
	dir := t.TempDir()
	for name, size := range map[string]int{"empty": 0, "small": 1, "frame": 64 << 10, "big": 5<<20 + 3} {
		want := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(want)
		in, out := filepath.Join(dir, name), filepath.Join(dir, name+".back")
		if err := os.WriteFile(in, want, 0o750); err != nil {
			t.Fatal(err)
		}
		guest := "/var/new folder/" + name
		if err := v.CopyIn(t.Context(), in, guest); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(want)
		if got := v.MustRun(t.Context(), t, "sha256sum < '"+guest+"'"); !strings.HasPrefix(got, hex.EncodeToString(sum[:])) {
			t.Errorf("%s: in the guest the sum is %s", name, got)
		}
		if err := v.CopyOut(t.Context(), guest, out); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: came back as %d other bytes (%v)", name, len(got), err)
		}
		if st, err := os.Stat(out); err != nil || st.Mode() != 0o750 {
			t.Errorf("%s: came back with mode %v (%v)", name, st.Mode(), err)
		}
	}
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"no file outside", v.CopyIn(t.Context(), dir+"/none", "/x"), "no such file or directory"},
		{"a folder outside", v.CopyIn(t.Context(), dir, "/x"), "not a regular file"},
		{"relative path", v.CopyIn(t.Context(), dir+"/small", "x"), `path "x": not absolute`},
		{"no file inside", v.CopyOut(t.Context(), "/none", dir+"/none"), "open /none: no such file or directory"},
		{"a folder inside", v.CopyOut(t.Context(), "/etc", dir+"/none"), `file "/etc": not a regular file`},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %s", tc.name, tc.err, tc.want)
		}
	}
	if _, err := os.Stat(dir + "/none"); !os.IsNotExist(err) {
		t.Errorf("a copy that could not be made left a file (%v)", err)
	}
}

func testConcurrent(t *testing.T, v *VM) {
	var wg sync.WaitGroup
	for _, word := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			res, err := v.Run(t.Context(), "sleep 1; echo "+word)
			if err != nil || res.Stdout != word+"\n" {
				t.Errorf("%s: %+v, %v", word, res, err)
			}
		})
	}
	wg.Wait()
}

func testPackages(t *testing.T, v *VM) {
	if got := v.MustRun(t.Context(), t, "dpkg-query -W -f '${db:Status-Abbrev}' dpkg"); got != "ii " {
		t.Errorf("dpkg's status of dpkg: %q", got)
	}
	if audit := v.MustRun(t.Context(), t, "dpkg --audit"); audit != "" {
		t.Errorf("dpkg --audit: %s", audit)
	}
	got := v.MustRun(t.Context(), t, "rpm -qa; rpm -q --whatprovides /bin/sh; rpm --eval '%{_dbpath}'")
	if want := "vm-base-1-1.noarch\nvm-base-1-1.noarch\n/var/lib/rpm\n"; got != want {
		t.Errorf("rpm's database: %q, want %q", got, want)
	}
}

func testModprobe(t *testing.T, v *VM) {
	v.MustRun(t.Context(), t, "modprobe dummy && grep -q ^dummy /proc/modules && modprobe -r dummy")
	if res, err := v.Run(t.Context(), "modprobe btrfs"); err != nil || res.ExitCode == 0 {
		t.Errorf("a module that was not asked for: %+v, %v", res, err)
	}
}

func testKernelLog(t *testing.T, v *VM) {
	lines, err := v.KernelLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) < 100 || lines[0].Seq != 0 || !strings.HasPrefix(lines[0].Text, "Linux version ") || lines[0].Level != 5 {
		t.Fatalf("%d lines, the first %+v; want the kernel's banner at level 5", len(lines), lines[0])
	}
	mark, err := v.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range WarningLines(lines, 0) {
		t.Errorf("the boot warns: %v", l)
	}
	// sysrq speaks at other levels than error; SysRq-w reports blocked tasks without a call trace when there is none.
	v.MustRun(t.Context(), t, "echo h > /proc/sysrq-trigger; echo '<2>not the kernel' > /dev/kmsg")
	if found, err := v.Warnings(t.Context(), mark); err != nil || len(found) > 0 {
		t.Errorf("warnings %v, %v; want none", found, err)
	}
	v.MustRun(t.Context(), t, "echo l > /proc/sysrq-trigger; sleep 1") // backtraces of all CPUs
	if found, err := v.Warnings(t.Context(), mark); err != nil || len(found) == 0 {
		t.Errorf("warnings %v, %v; want call traces", found, err)
	}
}

func testReboot(t *testing.T, v *VM) {
	v.MustRun(t.Context(), t, "echo kept > /root/kept; echo gone > /tmp/gone; sleep 1000 & cat /proc/sys/kernel/random/boot_id > /root/boot")
	begin := time.Now()
	if err := v.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("reboot took %.1f s", time.Since(begin).Seconds())
	got := v.MustRun(t.Context(), t, "cat /root/kept; test ! -e /tmp/gone; cmp -s /root/boot /proc/sys/kernel/random/boot_id || echo another boot")
	if got != "kept\nanother boot\n" {
		t.Errorf("after the reboot: %q", got)
	}
}
