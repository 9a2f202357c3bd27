package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// machine is where it was measured.
type machine struct {
	CPU    string  `json:"cpu"`         // the model
	CPUs   int     `json:"cpus"`        // of the machine
	Used   int     `json:"cpus_used"`   // by measured programs
	Load   float64 `json:"load"`        // average of a minute, at the start
	Others float64 `json:"others_used"` // CPUs that programs other than the bench kept busy meanwhile, on average
}

// twoCores are the CPUs that measured programs may use: the first two of those that we may. The bound for a cold run
// is one for two.
func twoCores() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("CPU affinity: %w", err)
	}
	var cores []int
	for c := 0; len(cores) < 2 && c < 8*len(set)*strconv.IntSize/8; c++ {
		if set.IsSet(c) {
			cores = append(cores, c)
		}
	}
	return cores, nil
}

func thisMachine(used int) (machine, error) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return machine{}, err
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return machine{}, err
	}
	m := machine{Used: used}
	m.CPU, m.CPUs = parseCPUInfo(string(info))
	first, _, _ := strings.Cut(string(load), " ")
	if m.Load, err = strconv.ParseFloat(first, 64); err != nil {
		return machine{}, fmt.Errorf(`file "/proc/loadavg": %w`, err)
	}
	return m, nil
}

// parseCPUInfo reads model and count from the text of /proc/cpuinfo.
func parseCPUInfo(text string) (model string, count int) {
	model = "unknown"
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "processor":
			count++
		case "model name":
			model = strings.TrimSpace(value)
		}
	}
	return model, count
}

// busyTimes is how long CPUs have been busy, up to now.
type busyTimes struct {
	all, ours time.Duration
	at        time.Time
}

func startBusy() (busyTimes, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return busyTimes{}, err
	}
	t := busyTimes{at: time.Now()}
	if t.all, err = parseBusy(string(stat)); err != nil {
		return busyTimes{}, err
	}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var ru syscall.Rusage
		if err := syscall.Getrusage(who, &ru); err != nil {
			return busyTimes{}, fmt.Errorf("getrusage: %w", err)
		}
		t.ours += time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	return t, nil
}

// userHz is the unit of /proc/stat: USER_HZ, 100 on x86. Source: Documentation/filesystems/proc.rst, v6.1.
const userHz = 100

// parseBusy adds up what the first line of /proc/stat, "cpu user nice system idle iowait irq softirq steal ...", says of
// all CPUs but idle and iowait. Time stolen by the hypervisor counts: others had it.
func parseBusy(stat string) (time.Duration, error) {
	line, _, _ := strings.Cut(stat, "\n")
	words := strings.Fields(line)
	if len(words) < 9 || words[0] != "cpu" {
		return 0, fmt.Errorf(`file "/proc/stat": first line %q, want "cpu" and eight numbers`, line)
	}
	var ticks int64
	for i, w := range words[1:9] {
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			return 0, fmt.Errorf(`file "/proc/stat": %w`, err)
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / userHz, nil
}

// others is how many CPUs other programs than ours kept busy since t, on average.
func (t busyTimes) others() (float64, error) {
	now, err := startBusy()
	if err != nil {
		return 0, err
	}
	return t.othersUntil(now), nil
}

func (t busyTimes) othersUntil(now busyTimes) float64 {
	wall := now.at.Sub(t.at)
	others := (now.all - t.all) - (now.ours - t.ours)
	if wall <= 0 || others < 0 { // ticks are counted, rusage is not
		return 0
	}
	return others.Seconds() / wall.Seconds()
}
