package vm

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
)

// kvmLimit is how long a kernel may take under KVM until it misses its root. Where KVM works that is about a second.
const kvmLimit = 6 * time.Second

// accelerator is "kvm" if a kernel really boots under KVM here, else "tcg". That /dev/kvm is there says little: in a
// nested or sandboxed machine it may open, and even run a few instructions, and then hang. The answer is remembered
// until this machine boots again.
func accelerator(ctx context.Context, c *cache.Cache, vmlinuz string) string {
	if _, err := os.Stat("/dev/kvm"); err != nil {
		return "tcg"
	}
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "tcg"
	}
	key := strings.TrimSpace(string(bootID))
	dir, err := c.Dir(ctx, "vm-accel", key, func(ctx context.Context, dir string) error {
		answer := "tcg"
		if bootsUnderKVM(ctx, vmlinuz) {
			answer = "kvm"
		}
		return os.WriteFile(filepath.Join(dir, "accel"), []byte(answer), 0o644)
	})
	if err != nil {
		return "tcg"
	}
	answer, err := os.ReadFile(filepath.Join(dir, "accel"))
	if err != nil || string(answer) != "kvm" {
		return "tcg"
	}
	return "kvm"
}

// bootsUnderKVM boots the kernel without a root and waits for its panic over that.
func bootsUnderKVM(ctx context.Context, vmlinuz string) bool {
	path, err := process.Look(qemuProgram)
	if err != nil {
		return false
	}
	con, err := newConsole("")
	if err != nil {
		return false
	}
	cmd := exec.Command(path, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc",
		"-accel", "kvm", "-cpu", "host", "-m", "256", "-no-reboot",
		"-kernel", vmlinuz, "-append", "console=ttyS0 panic=-1", "-serial", "stdio")
	cmd.Stdout = con
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return false
	}
	// A process that hangs inside KVM may not even die at once: nobody waits for it but this goroutine.
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	select {
	case <-con.panic:
	case <-gone:
	case <-ctx.Done():
	case <-time.After(kvmLimit):
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	return con.panicLine() != ""
}
