package matrix

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cellMemory is what a cell takes at most in the common case, in bytes: livesplice for its objects and module, and a
// compiler of a large unit.
const cellMemory = 768 << 20

// gate lets cells begin while there is memory for another one; one at a time always may.
type gate struct {
	available func() (int64, bool)
	pause     time.Duration

	mu      sync.Mutex
	running int
}

func newGate() *gate { return &gate{available: available, pause: 500 * time.Millisecond} }

// enter waits until a cell may begin, or ctx ends. leave is to be called when it has ended.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		n, known := g.available()
		if g.running == 0 || !known || n >= cellMemory {
			g.running++
			g.mu.Unlock()
			return nil
		}
		g.mu.Unlock()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(g.pause):
		}
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	g.running--
	g.mu.Unlock()
}

// available is how much memory programs can still have, in bytes: the machine's, or that of the control group if it is less.
// Source: Documentation/filesystems/proc.rst (MemAvailable), Documentation/admin-guide/cgroup-v2.rst (memory.max), v6.1.
func available() (int64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	n, ok := meminfo(string(text))
	group, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return n, ok
	}
	for line := range strings.Lines(string(group)) {
		path, unified := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !unified {
			continue
		}
		for dir := filepath.Join("/sys/fs/cgroup", path); strings.HasPrefix(dir, "/sys/fs/cgroup"); dir = filepath.Dir(dir) {
			if left, bounded := groupMemory(dir); bounded && (!ok || left < n) {
				n, ok = left, true
			}
		}
	}
	return n, ok
}

// meminfo reads MemAvailable, in bytes.
func meminfo(text string) (int64, bool) {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "MemAvailable:" && words[2] == "kB" {
			kb, err := strconv.ParseInt(words[1], 10, 64)
			return kb * 1024, err == nil && kb >= 0 && kb < 1<<50
		}
	}
	return 0, false
}

// groupMemory is what is left of a control group's bound; files that are only cached count as free.
func groupMemory(dir string) (int64, bool) {
	limit, ok := number(dir, "memory.max") // "max": none
	used, known := number(dir, "memory.current")
	if !ok || !known {
		return 0, false
	}
	stat, _ := os.ReadFile(filepath.Join(dir, "memory.stat"))
	var cached int64
	for line := range strings.Lines(string(stat)) {
		if v, ok := strings.CutPrefix(line, "inactive_file "); ok {
			cached, _ = strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		}
	}
	return limit - used + cached, true
}

func number(dir, file string) (int64, bool) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
