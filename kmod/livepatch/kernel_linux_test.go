package livepatch_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"livesplice/kmod/livepatch"
)

// OnCPU runs where it should, on any CPU that this process may use, and leaves the process where it was.
func TestOnCPU(t *testing.T) {
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for cpu := range 1024 {
		if !before.IsSet(cpu) {
			continue
		}
		tried++
		on := ""
		err := livepatch.RunningKernel{}.OnCPU(t.Context(), cpu, 20*time.Second, func() {
			stat, err := os.ReadFile("/proc/thread-self/stat")
			if err != nil {
				t.Error(err)
			}
			_, rest, _ := strings.Cut(string(stat), ") ")
			on = strings.Fields(rest)[36]
		})
		if err != nil || on != strconv.Itoa(cpu) {
			t.Errorf("CPU %d: ran on %q, %v", cpu, on, err)
		}
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil || after != before || tried == 0 {
		t.Errorf("%d CPUs, affinity %v, then %v, %v", tried, before, after, err)
	}
}

// A CPU that is not there is an error, and an interruption is heard; nothing runs then.
func TestOnCPURefused(t *testing.T) {
	ran := func() { t.Error("it ran") }
	if err := (livepatch.RunningKernel{}).OnCPU(t.Context(), 1023, time.Second, ran); !errors.Is(err, unix.EINVAL) {
		t.Errorf("CPU 1023: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	did := false
	if err := (livepatch.RunningKernel{}).OnCPU(ctx, 0, time.Second, func() { did = true }); (err != nil) == did {
		t.Errorf("interrupted: %v, and it ran: %t", err, did)
	}
}
