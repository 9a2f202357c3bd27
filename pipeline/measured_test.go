package pipeline

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestParsePeak(t *testing.T) {
	for _, tt := range []struct {
		name, status string
		want         int64
		ok           bool
	}{
		{"line among others", "Name:\tlivesplice\nVmPeak:\t  999999 kB\nVmHWM:\t  119608 kB\nVmRSS:\t 1 kB\n", 119608 * 1024, true},
		{"kernel thread", "Name:\tkthreadd\n", 0, false},
		{"no number", "VmHWM:\t x kB\n", 0, false},
		{"other unit", "VmHWM:\t 12 MB\n", 0, false},
		{"negative", "VmHWM:\t -12 kB\n", -12 * 1024, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parsePeak(tt.status)
			if ok != tt.ok || ok && got != tt.want {
				t.Errorf("got %d, %v, want %d, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestWriteMeasured(t *testing.T) {
	ballast := make([]byte, 64<<20)
	for i := range ballast {
		ballast[i] = byte(i)
	}
	path := filepath.Join(t.TempDir(), "timings.json")
	res := &Result{Timings: []Timing{{Stage: "link", Wall: time.Second, Tools: 900 * time.Millisecond}}}
	if err := WriteMeasured(path, res); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m Measured
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	if m.CPU <= 0 || m.ToolsCPU < 0 {
		t.Errorf("processor time %v, of tools %v", m.CPU, m.ToolsCPU)
	}
	if len(m.Stages) != 1 || m.Stages[0] != res.Timings[0] {
		t.Errorf("stages: got %+v", m.Stages)
	}
	if m.PeakMemory < int64(len(ballast)) || m.PeakMemory > 1<<30 {
		t.Errorf("peak memory: got %d bytes, want those of the ballast of %d and little more", m.PeakMemory, len(ballast))
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left beside the file: %v, %v", left, err)
	}
	if err := WriteMeasured(filepath.Join(path, "x"), res); err == nil {
		t.Error("a file below a file: no error")
	}
}
