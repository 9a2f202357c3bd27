// Splicectl applies and undoes livesplice updates on the machine whose kernel
// they change.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"livesplice/internal/crash"
	"livesplice/kmod/livepatch"
)

// version is set when a package is made: -ldflags "-X main.version=1.2.3".
var version = "devel"

func main() {
	crash.Main("splicectl", livepatch.ExitFault, func() int {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	})
}

// run is the whole program on the machine itself: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	host := &livepatch.Host{Root: "/", Kernel: livepatch.RunningKernel{}, Out: stdout, Timeout: livepatch.DefaultTimeout}
	p := &program{host: host, user: os.Geteuid(), stdout: stdout, stderr: stderr}
	return p.run(ctx, args)
}
