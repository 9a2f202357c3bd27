// Livesplice turns a source patch and a shipped kernel into packages that change the running kernel.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"livesplice/internal/crash"
	"livesplice/pipeline"
)

func main() {
	crash.Main("livesplice", pipeline.ExitFault, func() int {
		ctx, stop := untilSignal()
		defer stop()
		return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	})
}

// untilSignal gives a context that ends with SIGINT or SIGTERM, so that what was begun is cleaned up. A second signal within a
// second changes nothing, since timeout(1) sends each to the process and to its group; a later one ends the process at once.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		time.Sleep(time.Second)
		stop()
	})
	return ctx, stop
}
