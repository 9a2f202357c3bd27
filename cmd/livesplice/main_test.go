package main

import (
	"math"
	"os"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

// TestSignalSentTwice would end with the test's process if the second signal were not caught.
func TestSignalSentTwice(t *testing.T) {
	ctx, stop := untilSignal()
	defer stop()
	for range 2 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("the context goes on 10 s after SIGTERM")
		}
		time.Sleep(50 * time.Millisecond) // the first signal's consequences
	}
}

// TestBoundHeap: the bound stands unless the environment sets another.
func TestBoundHeap(t *testing.T) {
	was := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(was) })
	for set, want := range map[int64]int64{math.MaxInt64: heapBound, 1 << 30: 1 << 30} {
		debug.SetMemoryLimit(set)
		boundHeap()
		if got := debug.SetMemoryLimit(-1); got != want {
			t.Errorf("limit %d became %d, want %d", set, got, want)
		}
	}
}
