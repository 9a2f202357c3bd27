package main

import (
	"io"
	"math"
	"runtime/debug"
	"testing"
)

// TestBoundHeap: one update has a bound unless the environment sets another; many side by side have none.
func TestBoundHeap(t *testing.T) {
	was := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(was) })
	for _, tc := range []struct {
		set  int64
		args []string
		want int64
	}{
		{math.MaxInt64, []string{"create", "--source", "missing", "--kernel", "missing.deb", "missing.patch"}, heapBound},
		{1 << 30, []string{"create", "--source", "missing", "--kernel", "missing.deb", "missing.patch"}, 1 << 30},
		{math.MaxInt64, []string{"matrix", "missing"}, math.MaxInt64},
	} {
		debug.SetMemoryLimit(tc.set)
		run(t.Context(), tc.args, io.Discard, io.Discard)
		if got := debug.SetMemoryLimit(-1); got != tc.want {
			t.Errorf("%s: limit %d became %d, want %d", tc.args[0], tc.set, got, tc.want)
		}
	}
}
