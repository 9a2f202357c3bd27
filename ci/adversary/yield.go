package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// yield is what campaigns came to.
type yield struct {
	results []result
}

// tally counts the results of one row.
type tally struct{ tried, spliced, refused, unchanged, failed, compared, differing int }

func (t *tally) add(r result) {
	t.tried++
	switch r.Outcome {
	case "spliced":
		t.spliced++
	case "refused":
		t.refused++
	case "no change":
		t.unchanged++
	default:
		t.failed++
	}
	if r.Compared {
		t.compared++
	}
	if len(r.Differences) > 0 {
		t.differing++
	}
}

// table is the yield as plain text.
func (y *yield) table() string {
	var sum tally
	byKind, byCode := map[string]*tally{}, map[string]int{}
	for _, r := range y.results {
		sum.add(r)
		for _, k := range r.Kinds {
			if byKind[k] == nil {
				byKind[k] = &tally{}
			}
			byKind[k].add(r)
		}
		for _, c := range r.Codes {
			byCode[c]++
		}
	}
	var b strings.Builder
	line := func(what string, n int) { fmt.Fprintf(&b, "%-52s %5d\n", what, n) }
	line("tried", sum.tried)
	line("  spliced", sum.spliced)
	line("    compared with their reference", sum.compared)
	line("    differing", sum.differing)
	line("  refused", sum.refused)
	for _, c := range slices.Sorted(maps.Keys(byCode)) {
		line("    "+c, byCode[c])
	}
	line("  no change of object code", sum.unchanged)
	line("  failed", sum.failed)
	fmt.Fprintf(&b, "\n%-38s %6s %8s %8s %10s %7s %10s\n", "kind", "tried", "spliced", "refused", "no change", "failed", "differing")
	for _, k := range slices.Sorted(maps.Keys(byKind)) {
		t := byKind[k]
		fmt.Fprintf(&b, "%-38s %6d %8d %8d %10d %7d %10d\n", k, t.tried, t.spliced, t.refused, t.unchanged, t.failed, t.differing)
	}
	return b.String()
}

// wrong are the results that a campaign must not have.
func (y *yield) wrong() (all []result) {
	for _, r := range y.results {
		if len(r.Differences) > 0 || !slices.Contains([]string{"spliced", "refused", "no change"}, r.Outcome) {
			all = append(all, r)
		}
	}
	return all
}

// replaceTable replaces what stands in a Markdown file between two comments.
func replaceTable(path, text string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := []byte("<!-- yield -->\n"), []byte("<!-- end -->\n")
	head, rest, ok := bytes.Cut(data, begin)
	_, tail, ok2 := bytes.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("file %q: want lines %q and %q", path, begin, end)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".adversary-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(bytes.Join([][]byte{head, begin, []byte(text), end, tail}, nil))
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
