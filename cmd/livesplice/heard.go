package main

import (
	"context"
	"fmt"
	"time"
)

// grace is how long a command may take to clean up after it was interrupted. What acts hears of that at once; what describes
// computes on, and is left behind then.
const grace = 10 * time.Second

// heard runs a command and comes back no later than the grace after the context has ended.
func heard(ctx context.Context, grace time.Duration, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return fmt.Errorf("%w, and what was begun did not end within %v", context.Cause(ctx), grace)
	}
}
