package main

import (
	"testing"
	"time"
)

func TestParseCPUInfo(t *testing.T) {
	for _, tt := range []struct {
		name, text, model string
		count             int
	}{
		{"two", "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Processor\nflags\t: fpu\n\nprocessor\t: 1\nmodel name\t: Intel(R) Xeon(R) Processor\n", "Intel(R) Xeon(R) Processor", 2},
		{"no model", "processor\t: 0\n", "unknown", 1},
		{"empty", "", "unknown", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if model, count := parseCPUInfo(tt.text); model != tt.model || count != tt.count {
				t.Errorf("got %q, %d, want %q, %d", model, count, tt.model, tt.count)
			}
		})
	}
}

func TestParseBusy(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       time.Duration
		ok         bool
	}{
		// user, nice, system, irq, softirq and steal; not idle (1000), iowait (2000), guest (4, in user already).
		{"all columns", "cpu  100 10 20 1000 2000 5 6 9 4 0\ncpu0 1 1\n", 1500 * time.Millisecond, true},
		{"few columns", "cpu 1 2 3 4\n", 0, false},
		{"other line", "cpu0 1 2 3 4 5 6 7 8\n", 0, false},
		{"no number", "cpu 1 2 x 4 5 6 7 8\n", 0, false},
		{"empty", "", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseBusy(tt.text)
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestOthersUntil(t *testing.T) {
	begin := busyTimes{all: 100 * time.Second, ours: time.Second, at: time.Unix(1000, 0)}
	for _, tt := range []struct {
		name string
		now  busyTimes
		want float64
	}{
		{"half a CPU", busyTimes{all: 120 * time.Second, ours: 16 * time.Second, at: time.Unix(1010, 0)}, 0.5},
		{"only we", busyTimes{all: 110 * time.Second, ours: 11 * time.Second, at: time.Unix(1010, 0)}, 0},
		{"ticks lag behind", busyTimes{all: 110 * time.Second, ours: 12 * time.Second, at: time.Unix(1010, 0)}, 0},
		{"no time", busyTimes{all: 110 * time.Second, ours: time.Second, at: time.Unix(1000, 0)}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := begin.othersUntil(tt.now); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTwoCores(t *testing.T) {
	cores, err := twoCores()
	if err != nil {
		t.Fatal(err)
	}
	if len(cores) < 1 || len(cores) > 2 || len(cores) == 2 && cores[0] >= cores[1] {
		t.Errorf("got %v", cores)
	}
}
