package matrix

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/kmod/livepatch"
	"livesplice/pipeline"
)

// Summary is what came of a matrix, or a shard of it. The same inputs give the same summary.
type Summary struct {
	Format int            `json:"format"` // 1
	Shard  string         `json:"shard,omitempty"`
	Code   int            `json:"code"`   // of the run: see worst
	Counts map[string]int `json:"counts"` // of outcomes
	Fixes  []FixSummary   `json:"fixes"`
	Cells  []*Record      `json:"cells"` // kernel by kernel
}

// FixSummary compares what one fix replaces on its kernels, those for which there is an update.
type FixSummary struct {
	Fix     string   `json:"fix"`
	Kernels []string `json:"kernels"`          // with an update
	Common  []string `json:"common"`           // functions that all of them replace: "do_fcntl", "nfs:nfs_open"
	Differ  []Differ `json:"differ,omitempty"` // functions that some of them do not
}

// Differ is a function that a fix replaces on some kernels only.
type Differ struct {
	Function string   `json:"function"`
	On       []string `json:"on"`
	NotOn    []string `json:"not_on"`
}

// seriousness is the order in which exit codes count for the whole: where nothing is known comes before what is known to be
// bad.
var seriousness = []int{pipeline.ExitFault, pipeline.ExitUsage, pipeline.ExitBuild, pipeline.ExitMismatch, pipeline.ExitRefused}

// worst is the exit code for a run: 0 if each cell is done or changes nothing.
func worst(records []*Record) int {
	for _, code := range seriousness {
		if slices.ContainsFunc(records, func(r *Record) bool { return r.Code == code }) {
			return code
		}
	}
	return pipeline.ExitDone
}

func summarize(records []*Record, shard Shard) *Summary {
	s := &Summary{Format: 1, Code: worst(records), Counts: map[string]int{}, Cells: records}
	if shard.Of > 0 {
		s.Shard = fmt.Sprintf("%d/%d", shard.Index, shard.Of)
	}
	var fixes []string
	of := map[string][]*Record{}
	for _, r := range records {
		s.Counts[r.Outcome]++
		if of[r.Fix] == nil {
			fixes = append(fixes, r.Fix)
		}
		of[r.Fix] = append(of[r.Fix], r)
	}
	for _, f := range fixes {
		s.Fixes = append(s.Fixes, compare(f, of[f]))
	}
	return s
}

// compare names the functions that differ from kernel to kernel.
func compare(fix string, records []*Record) FixSummary {
	fs := FixSummary{Fix: fix, Kernels: []string{}, Common: []string{}}
	on := map[string][]string{} // kernels, by function
	for _, r := range records {
		if r.Code != pipeline.ExitDone {
			continue
		}
		fs.Kernels = append(fs.Kernels, r.Kernel)
		for _, f := range r.functions() {
			on[f] = append(on[f], r.Kernel)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(on)) {
		if len(on[f]) == len(fs.Kernels) {
			fs.Common = append(fs.Common, f)
			continue
		}
		d := Differ{Function: f, On: on[f]}
		for _, k := range fs.Kernels {
			if !slices.Contains(on[f], k) {
				d.NotOn = append(d.NotOn, k)
			}
		}
		fs.Differ = append(fs.Differ, d)
	}
	return fs
}

// functions are what an update replaces; those of modules with the module's name before them.
func (r *Record) functions() []string {
	var all []string
	for _, o := range r.Replaced {
		for _, f := range o.Functions {
			if o.Object != livepatch.VMLinux {
				f = o.Object + ":" + f
			}
			all = append(all, f)
		}
	}
	return all
}

// line is what came of a cell, in a line.
func (r *Record) line() string {
	text := r.Outcome
	switch {
	case r.Code == pipeline.ExitDone:
		n := len(r.functions())
		text += fmt.Sprintf(" %s, %d function%s", r.ID, n, plural(n))
		if r.Warnings > 0 {
			text += fmt.Sprintf(", %d warning%s", r.Warnings, plural(r.Warnings))
		}
	case r.Code == pipeline.ExitNoChange:
	default:
		first, rest, more := strings.Cut(r.Error, "\n")
		text += fmt.Sprintf(" (%d): %s", r.Code, first)
		if more {
			n := strings.Count(rest, "\n") + 1
			text += fmt.Sprintf(" (and %d more line%s)", n, plural(n))
		}
	}
	return text
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// Text is the summary for people.
func (s *Summary) Text() string {
	var b strings.Builder
	width := 0
	for _, r := range s.Cells {
		width = max(width, len(r.Kernel)+1+len(r.Fix))
	}
	for _, r := range s.Cells {
		fmt.Fprintf(&b, "%-*s  %s\n", width, r.Kernel+"/"+r.Fix, r.line())
	}
	for _, f := range s.Fixes {
		for _, d := range f.Differ {
			fmt.Fprintf(&b, "fix %s: %s is replaced on %s, not on %s\n", f.Fix, d.Function, strings.Join(d.On, ", "), strings.Join(d.NotOn, ", "))
		}
	}
	var counts []string
	for code := range len(outcomes) {
		if n := s.Counts[outcomes[code]]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, outcomes[code]))
		}
	}
	fmt.Fprintf(&b, "%d cells: %s\n", len(s.Cells), strings.Join(counts, ", "))
	return b.String()
}

// Err is nil for a matrix that is all done, and an *Unfinished otherwise.
func (s *Summary) Err() error {
	if s.Code == pipeline.ExitDone {
		return nil
	}
	n := 0
	for _, r := range s.Cells {
		if slices.Contains(seriousness, r.Code) {
			n++
		}
	}
	return &Unfinished{Code: s.Code, Cells: len(s.Cells), Without: n}
}

// Unfinished says that cells of a matrix came to nothing. The program exits with the most serious of their codes.
type Unfinished struct{ Code, Cells, Without int }

// ExitCode is the program's.
func (e *Unfinished) ExitCode() int { return e.Code }

func (e *Unfinished) Error() string {
	return fmt.Sprintf("matrix: %d of %d cells have no update; the most serious reason is %q (exit code %d)", e.Without, e.Cells, outcomes[e.Code], e.Code)
}

// write writes the summary as JSON to a file that appears whole or not at all.
func (s *Summary) write(path string) error {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".summary-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data.Bytes())
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
