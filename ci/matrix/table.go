package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"
)

// result is what was found.
type result struct {
	date     string
	seed     uint64
	kernels  []kernel
	later    string // version
	fixes    int
	outcomes map[string]int // of cells
	whole    time.Duration  // the run in one piece
	kills    []kill
	rest     time.Duration // the run after the last kill
	compared int           // files
	bytes    int64
	differ   []string // names of files
}

// table is the result for people.
func (r *result) table() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("date", "%s", r.date)
	var names []string
	for _, k := range r.kernels {
		names = append(names, k.Release+" ("+k.Version+")")
	}
	line("kernels", "%s", strings.Join(names, ", "))
	line("fixes", "%d, one file each, from the source of %s; seed %d", r.fixes, r.later, r.seed)
	var counts []string
	for _, o := range slices.Sorted(maps.Keys(r.outcomes)) {
		counts = append(counts, fmt.Sprintf("%d %s", r.outcomes[o], o))
	}
	line("cells", "%s", strings.Join(counts, ", "))
	line("in one run", "%.0f s on %d CPUs", r.whole.Seconds(), runtime.NumCPU())
	for _, k := range r.kills {
		line("killed", "after %.1f s, %d cells done", k.after.Seconds(), k.done)
	}
	line("the rest", "%.0f s", r.rest.Seconds())
	line("compared", "%d files, %.1f MB: %d differ", r.compared, float64(r.bytes)/1e6, len(r.differ))
	return b.String()
}

// err is of results that are not the same.
func (r *result) err() error {
	if len(r.differ) == 0 {
		return nil
	}
	return fmt.Errorf("killed and resumed, the results are others: %s", strings.Join(r.differ[:min(10, len(r.differ))], ", "))
}
