package corpus

import (
	"fmt"
	"slices"
	"strings"
)

// Table is the result as plain text.
func (r *Result) Table() string {
	var b strings.Builder
	count := map[Outcome]int{}
	byCode := map[string]int{}
	for _, e := range r.Entries {
		count[e.Outcome]++
		if e.Outcome == Refused {
			byCode[codes(e.Codes)]++
		}
	}
	fmt.Fprintf(&b, "%-26s %6d\n%-26s %6d\n", "files that differ", r.Differ, "taken", len(r.Entries))
	for _, o := range outcomes {
		fmt.Fprintf(&b, "  %-24s %6d\n", o, count[o])
	}
	var keys []string
	for k := range byCode {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, c string) int {
		if byCode[a] != byCode[c] {
			return byCode[c] - byCode[a]
		}
		return strings.Compare(a, c)
	})
	if len(keys) > 0 {
		fmt.Fprintf(&b, "refused by code\n")
	}
	for _, k := range keys {
		fmt.Fprintf(&b, "  %-24s %6d\n", k, byCode[k])
	}
	module := byCode["module-target"]
	if n := count[Spliced] + count[Refused] - module + count[Mismatch] + count[Failed]; n > 0 {
		fmt.Fprintf(&b, "of %d that change code of vmlinux, %d are spliced: %.1f %%\n", n, count[Spliced], 100*float64(count[Spliced])/float64(n))
	}
	return b.String()
}
