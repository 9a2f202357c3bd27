package vm

import (
	"context"
	"testing"
	"time"
)

// ForTest starts a machine for one test. A machine that does not start fails the test; the console is logged if the test
// fails; everything is gone when it ends. Without a Timeout in cfg the machine lives no longer than the test may run.
func ForTest(t testing.TB, cfg Config) *VM {
	t.Helper()
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok && cfg.Timeout == 0 {
		if end, ok := d.Deadline(); ok {
			cfg.Timeout = min(defaultTimeout, time.Until(end)-10*time.Second)
		}
	}
	begin := time.Now()
	v, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("vm: %s under %s answers after %.1f s", v.Release(), v.Accel(), time.Since(begin).Seconds())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("vm: the console's last lines:\n%s", v.console.lastLines(100))
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// MustRun runs a script that has to end with exit code 0, and returns its standard output.
func (v *VM) MustRun(ctx context.Context, t testing.TB, script string) string {
	t.Helper()
	res, err := v.Run(ctx, script)
	if err != nil {
		t.Fatal(err)
	}
	if res.ExitCode != 0 {
		t.Fatalf("script %q: exit code %d\n%s%s", firstLine(script), res.ExitCode, res.Stdout, res.Stderr)
	}
	return res.Stdout
}
