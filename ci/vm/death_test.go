package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
)

// children are the processes named like QEMU that this process started, zombies included.
func children(t *testing.T) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err != nil {
			continue // it has just ended
		}
		// "pid (comm) state ppid ..."; the kernel cuts comm at 15 bytes.
		_, rest, _ := strings.Cut(string(b), "(qemu-system-x86)")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(os.Getpid()) {
			found = append(found, string(b))
		}
	}
	return found
}

// start is Start with a folder of its own for temporary files, and a check that nothing is left at the end.
func start(t *testing.T, cfg Config) *VM {
	t.Helper()
	image := image(t) // before TMPDIR changes
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	cfg.Image = image
	v, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = v.Close()
		if left := children(t); len(left) > 0 {
			t.Errorf("processes left: %q", left)
		}
		left, err := filepath.Glob(filepath.Join(tmp, "*"))
		if err != nil || len(left) > 0 {
			t.Errorf("files left: %q, %v", left, err)
		}
	})
	return v
}

func TestCloseLeavesNothing(t *testing.T) {
	log := filepath.Join(t.TempDir(), "console")
	v := start(t, Config{CPUs: 1, Memory: 512, Append: "livesplice.word=x", ConsoleLog: log})
	if len(children(t)) != 1 {
		t.Errorf("QEMU processes of this test: %q, want one", children(t))
	}
	got := v.MustRun(t.Context(), t, "grep -o livesplice.word=x /proc/cmdline; nproc; awk '/MemTotal/ {print ($2 < 512*1024)}' /proc/meminfo")
	if got != "livesplice.word=x\n1\n1\n" {
		t.Errorf("the guest does not have what was asked for: %q", got)
	}
	if b, err := os.ReadFile(log); err != nil || !strings.Contains(string(b), "Linux version") {
		t.Errorf("console log while it runs: %d bytes, %v", len(b), err)
	}
	for range 2 {
		if err := v.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, err := os.Stat(log); !os.IsNotExist(err) {
		t.Errorf("the console log of a machine that did well is kept (%v)", err)
	}
	if _, err := v.Run(t.Context(), "true"); !errors.Is(err, errClosed) {
		t.Errorf("run after close: %v", err)
	}
}

func TestPanicIsReportedWithTheConsole(t *testing.T) {
	log := filepath.Join(t.TempDir(), "console")
	v := start(t, Config{ConsoleLog: log})
	begin := time.Now()
	_, err := v.Run(t.Context(), "echo c > /proc/sysrq-trigger")
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("noticed after %v", d)
	}
	var died *DiedError
	if !errors.As(err, &died) {
		t.Fatalf("error %v, want *DiedError", err)
	}
	if want := "Kernel panic - not syncing: sysrq triggered crash"; died.Reason != want {
		t.Errorf("reason %q, want %q", died.Reason, want)
	}
	if !strings.Contains(died.Console, "sysrq_handle_crash") {
		t.Errorf("the console's last lines hold no call trace:\n%s", died.Console)
	}
	if err := v.Close(); !errors.As(err, &died) {
		t.Errorf("close: %v, want *DiedError", err)
	}
	if b, err := os.ReadFile(log); err != nil || !strings.Contains(string(b), died.Reason) {
		t.Errorf("the console log is not kept (%v)", err)
	}
}

func TestTimeLimitEndsTheMachine(t *testing.T) {
	v := start(t, Config{Timeout: 7 * time.Minute})
	// What is left of the limit is cut short here: how long a boot takes on a busy computer must not matter.
	v.qemu.timer.Reset(2 * time.Second)
	begin := time.Now()
	_, err := v.Run(t.Context(), "sleep 1000")
	var died *DiedError
	if !errors.As(err, &died) || died.Reason != "time limit of 7m0s reached" {
		t.Errorf("error %v, want the time limit", err)
	}
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("ended %v after the limit was set to 2 s", d)
	}
}

func TestPowerOffIsADeath(t *testing.T) {
	v := start(t, Config{})
	_, err := v.Run(t.Context(), "echo o > /proc/sysrq-trigger; sleep 1000")
	var died *DiedError
	if !errors.As(err, &died) || died.Reason != "the guest powered off or restarted by itself" {
		t.Errorf("error %v, want the power off", err)
	}
}

func TestStartThatIsCancelled(t *testing.T) {
	path := image(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if v, err := Start(ctx, Config{Image: path}); !errors.Is(err, context.DeadlineExceeded) && !isNoAnswer(err) {
		t.Errorf("machine %v, error %v; want none, and the deadline", v, err)
	}
	if left, _ := filepath.Glob(filepath.Join(tmp, "*")); len(left)+len(children(t)) > 0 {
		t.Errorf("left: %q %q", left, children(t))
	}
}

func isNoAnswer(err error) bool {
	var died *DiedError
	return errors.As(err, &died) && died.Reason == "the agent did not answer: context deadline exceeded"
}

func TestStartOfWhatCannotBoot(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.deb")
	if err := os.WriteFile(text, []byte("no package"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"nothing", Config{}, "vm: neither Image nor Vmlinuz with ModulesDir given"},
		{"half", Config{Vmlinuz: text}, "vm: neither Image nor Vmlinuz with ModulesDir given"},
		{"both", Config{Image: text, Vmlinuz: text}, "vm: both Image and Vmlinuz given"},
		{"no file", Config{Image: dir + "/none"}, "open " + dir + "/none: no such file or directory"},
		{"no package", Config{Image: text}, fmt.Sprintf("file %q: this is a text file, want a .deb or .rpm package", text)},
		{"no modules", Config{Vmlinuz: text, ModulesDir: dir}, fmt.Sprintf("modules: folder %q: holds no .ko file", dir)},
		{"no such module", Config{Image: image(t), Modules: []string{"nothing-such"}}, `no module "nothing_such"`},
	} {
		v, err := Start(t.Context(), tc.cfg)
		if err == nil {
			_ = v.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %s", tc.name, err, tc.want)
		}
	}
}

func TestQEMUIsNamedByItsPackage(t *testing.T) {
	for program, want := range map[string]string{qemuProgram: "qemu-system-x86", "mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "depmod": "kmod"} {
		if got := process.Package(program); got != want {
			t.Errorf("package of %s: %q, want %q", program, got, want)
		}
	}
}

func TestAcceleratorIsAskedOnce(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	shared, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := findKernel(t.Context(), shared, Config{Image: image(t)})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	first := accelerator(t.Context(), c, kernel.vmlinuz)
	if d := time.Since(begin); d > kvmLimit+5*time.Second {
		t.Errorf("the first answer took %v", d)
	}
	// The second answer must come without a kernel to boot.
	if second := accelerator(t.Context(), c, "/nonexistent"); second != first || first != "kvm" && first != "tcg" {
		t.Errorf("first %q, then %q", first, second)
	}
}
