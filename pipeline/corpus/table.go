package corpus

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Result is what a run found.
type Result struct {
	Old     string  `json:"old"` // version of the old source
	New     string  `json:"new"`
	Release string  `json:"release"` // of the kernel, `uname -r`
	Kernel  string  `json:"kernel"`  // version of its package
	Sample  int     `json:"sample"`  // buildable files that were asked for; 0: all files
	Seed    uint64  `json:"seed"`
	Differ  int     `json:"differ"`  // files that differ
	Entries []Entry `json:"entries"` // of those taken, by name
}

// Count is how many files came out in a way.
func (r *Result) Count(o Outcome) int {
	n := 0
	for _, e := range r.Entries {
		if e.Outcome == o {
			n++
		}
	}
	return n
}

// Table is the result as plain text.
func (r *Result) Table() string {
	var b strings.Builder
	row := func(indent int, name string, n int) {
		fmt.Fprintf(&b, "%s%-*s %6d\n", strings.Repeat("  ", indent), 38-2*indent, name, n)
	}
	fmt.Fprintf(&b, "source %s to %s, kernel %s", r.Old, r.New, r.Release)
	if r.Kernel != "" {
		fmt.Fprintf(&b, " (%s)", r.Kernel)
	}
	if r.Sample > 0 {
		fmt.Fprintf(&b, ", sample of %d, seed %d", r.Sample, r.Seed)
	}
	b.WriteString("\n\n")
	row(0, ".c files that differ", r.Differ)
	row(0, "taken", len(r.Entries))
	row(1, "not part of the kernel or a module", r.Count(NotBuilt))
	row(1, string(Alone), r.Count(Alone))
	buildable, withHeaders := 0, 0
	for _, e := range r.Entries {
		if !e.Outcome.buildable() {
			continue
		}
		buildable++
		if len(e.Headers) > 0 {
			withHeaders++
		}
	}
	row(1, "buildable", buildable)
	row(2, "of these with headers", withHeaders)
	for _, o := range outcomes {
		if o.buildable() {
			row(2, string(o), r.Count(o))
		}
	}
	byCode := map[string]int{}
	for _, e := range r.Entries {
		if e.Outcome == Refused {
			byCode[codes(e.Codes)]++
		}
	}
	if len(byCode) > 0 {
		b.WriteString("refused by code\n")
	}
	for _, k := range slices.SortedFunc(maps.Keys(byCode), func(a, c string) int {
		return cmp.Or(byCode[c]-byCode[a], strings.Compare(a, c))
	}) {
		row(1, k, byCode[k])
	}
	b.WriteString("spliced of those that change object code\n")
	for _, part := range []struct {
		text string
		of   func(Entry) bool
	}{
		{"all", func(Entry) bool { return true }},
		{"vmlinux", func(e Entry) bool { return slices.Contains(e.Targets, "vmlinux") }},
		{"modules", func(e Entry) bool { return !slices.Contains(e.Targets, "vmlinux") }},
		{"the file alone", func(e Entry) bool { return len(e.Headers) == 0 }},
		{"with headers", func(e Entry) bool { return len(e.Headers) > 0 }},
	} {
		changed, spliced := r.share(part.of)
		if changed > 0 {
			fmt.Fprintf(&b, "  %-30s %4d of %4d  %5.1f %%\n", part.text, spliced, changed, 100*float64(spliced)/float64(changed))
		}
	}
	return b.String()
}

// share counts the files that change object code, and those of them that are spliced.
func (r *Result) share(of func(Entry) bool) (changed, spliced int) {
	for _, e := range r.Entries {
		if !of(e) || !e.Outcome.buildable() || e.Outcome == NoChange {
			continue
		}
		changed++
		if e.Outcome == Spliced {
			spliced++
		}
	}
	return changed, spliced
}
