package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestHeard comes back from what never ends, with the cause; it waits for what cleans up.
func TestHeard(t *testing.T) {
	cause, cleaned := errors.New("interrupted"), errors.New("cleaned up")
	for _, c := range []struct {
		name  string
		do    func(ctx context.Context) error
		grace time.Duration
		want  error
	}{
		{"done", func(context.Context) error { return nil }, time.Hour, nil},
		{"cleans up", func(ctx context.Context) error { <-ctx.Done(); time.Sleep(20 * time.Millisecond); return cleaned }, time.Hour, cleaned},
		{"deaf", func(context.Context) error { select {} }, 20 * time.Millisecond, cause},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(t.Context())
			if c.want != nil {
				time.AfterFunc(10*time.Millisecond, func() { stop(cause) })
			}
			if err := heard(ctx, c.grace, func() error { return c.do(ctx) }); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			stop(nil)
		})
	}
}
