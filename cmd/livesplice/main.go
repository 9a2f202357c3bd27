// Livesplice turns a source patch and a shipped kernel into packages that change the running kernel.
package main

import (
	"context"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

func main() {
	boundHeap()
	ctx, stop := untilSignal()
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
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

// heapBound is where the garbage collector runs more often instead of letting the heap grow to twice of what is in use, in
// bytes: compilers beside us want the memory more. A header's patch comes near it with some 500 units that change.
const heapBound = 448 << 20

// boundHeap sets heapBound, unless the environment sets another (GOMEMLIMIT).
func boundHeap() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(heapBound)
	}
}
