package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Measured is what a run of Create cost, as `livesplice create --timings` writes it. Unlike the report it differs from
// run to run.
type Measured struct {
	Stages []Timing `json:"stages"`
	// PeakMemory is the largest resident set of livesplice itself, in bytes; the programs that it ran are not in it.
	PeakMemory int64 `json:"peak_memory_bytes"`
	// CPU is the processor time of livesplice itself up to the end, ToolsCPU that of the programs that it ran.
	CPU      time.Duration `json:"cpu_ns"`
	ToolsCPU time.Duration `json:"tools_cpu_ns"`
}

// WriteMeasured writes the figures of res, and this process's peak memory up to now, to a file, which appears whole
// or not at all.
func WriteMeasured(path string, res *Result) error {
	peak, err := peakMemory()
	if err != nil {
		return err
	}
	m := Measured{Stages: res.Timings, PeakMemory: peak}
	if m.CPU, err = processorTime(unix.RUSAGE_SELF); err != nil {
		return err
	}
	if m.ToolsCPU, err = processorTime(unix.RUSAGE_CHILDREN); err != nil {
		return err
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".timings-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(append(data, '\n')); err != nil {
		tmp.Close()
		return err
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// processorTime is that of this process, or of the children that have ended.
func processorTime(who int) (time.Duration, error) {
	var r unix.Rusage
	err := unix.Getrusage(who, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), err
}

// peakMemory is VmHWM, which begins anew with exec. getrusage does not serve: the maxrss of a process begins with that
// of whoever started it, and the one that its parent gets to see counts its children too.
// Source: setmax_mm_hiwater_rss in exec_mmap, fs/exec.c; getrusage, kernel/sys.c, v6.1.
func peakMemory() (int64, error) {
	const file = "/proc/self/status"
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	peak, ok := parsePeak(string(text))
	if !ok {
		return 0, fmt.Errorf("file %q: no line \"VmHWM: <number> kB\"", file)
	}
	return peak, nil
}

// parsePeak reads VmHWM, in bytes, from the text of /proc/<pid>/status.
func parsePeak(status string) (int64, bool) {
	for line := range strings.Lines(status) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "VmHWM:" && words[2] == "kB" {
			kb, err := strconv.ParseInt(words[1], 10, 64)
			return kb * 1024, err == nil && kb >= 0 && kb < 1<<50
		}
	}
	return 0, false
}
