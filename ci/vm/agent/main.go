// Agent is the first process of the VM harness's guest. It comes out of the initramfs, loads the modules that the root
// needs, mounts the root, and then runs itself a second time to serve the harness, while it stays to reap orphans.
//
// It uses nothing but the standard library and ci/vm/wire: the harness builds it from its own copy of these sources.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	if os.Getpid() != 1 {
		fatal(serve())
	}
	if err := boot(); err != nil {
		fatal(err)
	}
	fatal(reap())
}

// fatal says why on the console, which the harness reads, and stops the machine.
func fatal(err error) {
	fmt.Fprintf(os.Stderr, "livesplice agent: %v\n", err)
	syscall.Sync()
	if os.Getpid() == 1 {
		_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	}
	os.Exit(1)
}

// reap starts the server and waits for every process that ends, until the server does. It is a process of its own since
// waiting for any child would take the exit codes away from those who wait for one.
func reap() error {
	server, err := syscall.ForkExec("/proc/self/exe", []string{"livesplice-agent"}, &syscall.ProcAttr{
		Dir: "/", Env: environment, Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err != nil && err != syscall.EINTR {
			return fmt.Errorf("wait: %w", err)
		}
		if pid == server {
			return fmt.Errorf("server: ended with status %#x", status)
		}
	}
}
