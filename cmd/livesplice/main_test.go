package main

import (
	"os"
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
