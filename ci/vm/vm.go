// Package vm boots a shipped kernel, unmodified, in QEMU and runs commands in it.
//
// A machine consists of the kernel and the modules of a kernel's packages, a root made once from Debian packages
// (dpkg, apt, rpm, kmod, procps), and a small agent in an initramfs that serves the harness over a virtio-serial port.
// The root is used as a snapshot: nothing that happens in a machine outlives it, and nothing outside is touched. Several
// machines may run at the same time.
//
// What it needs on a Debian machine: qemu-system-x86, mmdebstrap, e2fsprogs, kmod, and Go.
package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"livesplice/pipeline/cache"
)

// Config says what to boot. One of Image, or Vmlinuz with ModulesDir, must be given; the rest has defaults.
type Config struct {
	Image      string   // a package (.deb or .rpm) of the kernel, that with vmlinuz or another, or a folder with all of them unpacked
	Parts      []string // more packages of the kernel: its modules, where these are apart
	Vmlinuz    string   // kernel image, instead of Image
	ModulesDir string   // "…/lib/modules/<release>", with Vmlinuz

	// Modules are the names of modules that `modprobe` in the guest must find, with all that they depend on.
	Modules []string

	Memory  int           // MiB; default 1024
	CPUs    int           // default 2
	Append  string        // added to the kernel's command line
	Timeout time.Duration // hard limit of the machine's whole life; default 10 minutes

	// Cache is the folder of what is kept between runs. Empty: that of livesplice.
	Cache string

	// ConsoleLog is a file that gets the console as it comes. Close removes it, unless the machine died. Empty: none.
	ConsoleLog string
}

const (
	defaultMemory  = 1024
	defaultCPUs    = 2
	defaultTimeout = 10 * time.Minute
)

// VM is a running machine. Its methods may be called from several goroutines.
type VM struct {
	cfg     Config
	release string // `uname -r` of the guest
	accel   string

	qemu    *qemu
	console *console
	agent   *client

	closing sync.Once
}

// Start boots a machine and returns when its agent answers. The machine lives until Close, its Timeout or its death,
// whichever comes first; ctx bounds only the start.
func Start(ctx context.Context, cfg Config) (*VM, error) {
	cfg = cfg.withDefaults()
	c, err := cache.Open(cfg.Cache)
	if err != nil {
		return nil, err
	}
	boot, err := prepare(ctx, c, cfg)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(boot.scratch)

	con, err := newConsole(cfg.ConsoleLog)
	if err != nil {
		return nil, err
	}
	q, err := startQEMU(ctx, boot, cfg, con)
	if err != nil {
		con.close(false)
		return nil, err
	}
	vm := &VM{cfg: cfg, accel: boot.accel, qemu: q, console: con, agent: newClient(q.agentConn, q)}
	release, err := vm.agent.hello(ctx)
	if err != nil {
		var died *DiedError
		if !errors.As(err, &died) {
			err = &DiedError{Reason: fmt.Sprintf("the agent did not answer: %v", err), Console: con.lastLines(40)}
			q.kill(err)
		}
		_ = vm.Close()
		return nil, err
	}
	vm.release = release
	return vm, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.Memory == 0 {
		cfg.Memory = defaultMemory
	}
	if cfg.CPUs == 0 {
		cfg.CPUs = defaultCPUs
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	return cfg
}

// Release is `uname -r` of the guest.
func (v *VM) Release() string { return v.release }

// Accel is QEMU's accelerator that the machine runs under: "kvm" or "tcg".
func (v *VM) Accel() string { return v.accel }

// Console is what the guest has written to its serial console so far: at most the last MiB.
func (v *VM) Console() string { return v.console.text() }

// Close ends the machine and everything that belongs to it. Closing twice is fine. The error is *DiedError if the
// machine had died by itself.
func (v *VM) Close() error {
	var err error
	v.closing.Do(func() {
		v.qemu.kill(errClosed)
		<-v.qemu.dead
		v.agent.close()
		died := !errors.Is(v.qemu.cause(), errClosed)
		if died {
			err = v.qemu.cause()
		}
		v.console.close(!died)
	})
	return err
}

// errClosed is the cause of an end that was wanted.
var errClosed = errors.New("vm: closed")

// DiedError says that a machine ended by itself: panic, time limit, or QEMU's own failure.
type DiedError struct {
	Reason  string
	Console string // the last lines of the serial console
}

func (e *DiedError) Error() string {
	if e.Console == "" {
		return "vm: " + e.Reason
	}
	return "vm: " + e.Reason + "; the console's last lines:\n" + e.Console
}
