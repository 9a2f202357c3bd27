package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	textdiff "github.com/rogpeppe/go-internal/diff"

	"livesplice/kmod/diff"
	"livesplice/pipeline/rebuild"
)

// confirmLines makes sure that functions which seem to differ in nothing but line numbers do so: by the objects alone, a
// constant that changed by as much as its line moved looks the same. The patched unit is compiled once more, with the
// shipped file's line numbers behind each change; what differs then is no line number.
func (c *creation) confirmLines(ctx context.Context, u PlannedUnit, pre, post *compiled, r *diff.Result) (*diff.Result, error) {
	if len(r.OnlyLines) == 0 {
		return r, nil
	}
	files := maps.Clone(post.files)
	for name, text := range files {
		if before, err := os.ReadFile(filepath.Join(c.tree.Source, name)); err == nil && text != nil {
			files[name] = withLinesOf(before, text)
		}
	}
	opts := c.postOptions(u, post)
	var same []string // none if a directive came to stand where it means something else
	renumbered, err := c.compile(ctx, u, files)
	var build *rebuild.BuildError
	if err != nil && !errors.As(err, &build) {
		return nil, err
	}
	if err == nil {
		exact := opts
		exact.ExactLines = true
		e, err := diff.Compare(u.Source, pre.obj, renumbered.obj, exact)
		if err != nil {
			return nil, err
		}
		same = e.Unchanged()
	}
	opts.NotLines = map[string]bool{}
	for _, name := range r.OnlyLines {
		if !slices.Contains(same, name) {
			opts.NotLines[name] = true
		}
	}
	if len(opts.NotLines) == 0 {
		return r, nil
	}
	return diff.Compare(u.Source, pre.obj, post.obj, opts)
}

var hunkRE = regexp.MustCompile(`(?m)^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@`)

// withLinesOf gives the text of a C file in which lines that an older version has too have the numbers that they had there,
// from the first place behind each change on where a #line directive can stand: between two definitions.
func withLinesOf(older, text []byte) []byte {
	type hunk struct{ oldEnd, start, end int } // lines, from 0 on
	var hunks []hunk
	for _, m := range hunkRE.FindAllSubmatch(textdiff.Diff("a", older, "b", text), -1) {
		number := func(i, otherwise int) int {
			if n, err := strconv.Atoi(string(m[i])); err == nil {
				return n
			}
			return otherwise
		}
		h := hunk{oldEnd: number(1, 1) - 1 + number(2, 1), start: number(3, 1) - 1}
		h.end = h.start + number(4, 1)
		hunks = append(hunks, h)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	var out []byte
	at := 0
	for i, h := range hunks {
		until := len(lines)
		if i+1 < len(hunks) {
			until = hunks[i+1].start
		}
		for j := max(h.end, 1); j < until; j++ {
			if between(lines[j-1], lines[j]) {
				out = append(out, bytes.Join(lines[at:j], nil)...)
				out = fmt.Appendf(out, "#line %d\n", 1+j-h.end+h.oldEnd)
				at = j
				break
			}
		}
	}
	return append(out, bytes.Join(lines[at:], nil)...)
}

// between says whether a definition ends with one line, or an empty line stands there, and another begins with the next.
func between(a, b []byte) bool {
	end := bytes.TrimRight(a, "\r\n")
	if len(end) > 0 && !bytes.Equal(end, []byte("}")) && !bytes.Equal(end, []byte("};")) {
		return false
	}
	return len(b) > 0 && (b[0] == '\n' || b[0] == '_' || b[0] >= 'a' && b[0] <= 'z' || b[0] >= 'A' && b[0] <= 'Z' || bytes.HasPrefix(b, []byte("/*")))
}
