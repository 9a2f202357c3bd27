package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/match"
	"livesplice/pipeline/rebuild"
)

// figures is what was found of the whole sample.
type figures struct {
	Date     string `json:"date"`
	Release  string `json:"release"`
	Version  string `json:"version"` // uname -v
	Compiler string `json:"compiler"`
	Of       string `json:"of"`     // what the units are of: "all", "vmlinux", "modules"
	Units    int    `json:"units"`  // there are so many
	Sample   int    `json:"sample"` // so many were asked for, 0 for all
	Seed     uint64 `json:"seed"`

	Vmlinux tally `json:"vmlinux"`
	Modules tally `json:"modules"`

	Absent      []finding `json:"absent"`      // functions that the link left out
	Unexplained []finding `json:"unexplained"` // functions that should have been proven
	Shift       bool      `json:"shift,omitempty"`
	Shifted     []finding `json:"shifted,omitempty"` // functions and data that an empty line on top of the unit changes
	Failed      []finding `json:"failed"`            // units that could not be compiled, read or matched at all
}

// tally counts functions.
type tally struct {
	Units     int `json:"units"`
	Functions int `json:"functions"`
	Strict    int `json:"strict"`
	ByInsn    int `json:"instruction"`
	// Absent counts those that the link left out, by reason.
	Absent      map[string]int `json:"absent,omitempty"`
	Unexplained int            `json:"unexplained"`
}

// finding is one function, or a unit as a whole.
type finding struct {
	Unit     string `json:"unit"`
	Target   string `json:"target"` // "vmlinux" or a module
	Function string `json:"function,omitempty"`
	Why      string `json:"why"`
}

// add counts one unit.
func (f *figures) add(o rebuild.Owner, r *match.Result) {
	t := &f.Vmlinux
	if o.Kind == rebuild.InModule {
		t = &f.Modules
	}
	t.Units++
	t.Functions += len(r.Functions)
	t.Strict += r.Strict
	t.ByInsn += r.ByInsn
	for _, fn := range r.Functions {
		if fn.Proof != match.None {
			continue
		}
		found := finding{Unit: o.Unit, Target: o.Target, Function: fn.Name, Why: fn.Why}
		if fn.Absent != "" {
			if t.Absent == nil {
				t.Absent = map[string]int{}
			}
			t.Absent[fn.Absent]++
			f.Absent = append(f.Absent, found)
			continue
		}
		t.Unexplained++
		f.Unexplained = append(f.Unexplained, found)
	}
}

func (f *figures) sort() {
	for _, list := range [][]finding{f.Absent, f.Unexplained, f.Shifted, f.Failed} {
		slices.SortFunc(list, func(a, b finding) int {
			return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Function, b.Function))
		})
	}
}

// table is the figures for people.
func (f *figures) table() string {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
	}
	taken := fmt.Sprintf("%d of %d (%s), seed %d", f.Vmlinux.Units+f.Modules.Units+len(f.Failed), f.Units, f.Of, f.Seed)
	for _, r := range [][2]string{{"date", f.Date}, {"kernel", f.Release + ", " + f.Version}, {"compiler", f.Compiler}, {"units", taken}} {
		line("%-10s %s", r[0], r[1])
	}
	line("")
	line("%-34s %9s %9s %9s", "", "vmlinux", "modules", "all")
	row := func(name string, count func(tally) int) {
		v, m := count(f.Vmlinux), count(f.Modules)
		line("%-34s %9d %9d %9d", name, v, m, v+m)
	}
	row("units", func(t tally) int { return t.Units })
	row("functions", func(t tally) int { return t.Functions })
	row("  proven by bytes", func(t tally) int { return t.Strict })
	row("  proven by instruction", func(t tally) int { return t.ByInsn })
	for _, reason := range f.reasons() {
		row("  not there: "+reason, func(t tally) int { return t.Absent[reason] })
	}
	row("  unexplained", func(t tally) int { return t.Unexplained })
	if f.Shift {
		line("changed by an empty line on top %24d", len(f.Shifted))
	}
	for _, list := range [][]finding{f.Unexplained, f.Shifted, f.Failed} {
		for _, one := range list {
			line("%s: %s", strings.Trim(one.Target+" "+one.Unit+" "+one.Function, " "), one.Why)
		}
	}
	return b.String()
}

func (f *figures) reasons() []string {
	var all []string
	for _, t := range []tally{f.Vmlinux, f.Modules} {
		for reason := range t.Absent {
			if !slices.Contains(all, reason) {
				all = append(all, reason)
			}
		}
	}
	slices.Sort(all)
	return all
}
