package patch

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// Apply applies the patch to the files that read returns and gives the new content of each touched file by path; nil
// is a file that is gone. A mode change without a change of content leaves the file's content as it is. read reports a
// missing file by an error that is fs.ErrNotExist. Errors are *Error, or those of read.
func (p *Patch) Apply(read func(path string) ([]byte, error)) (map[string][]byte, error) {
	return Apply([]*Patch{p}, read)
}

// Apply applies patches in order, each to what the ones before it left.
func Apply(patches []*Patch, read func(path string) ([]byte, error)) (map[string][]byte, error) {
	out := map[string][]byte{}
	current := func(path string) ([]byte, error) {
		if data, ok := out[path]; ok {
			if data == nil {
				return nil, fs.ErrNotExist
			}
			return data, nil
		}
		return read(path)
	}
	for _, p := range patches {
		for _, ch := range p.changes {
			if err := p.apply(ch, current, out); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// noFile says what a path without a file may come from.
func noFile(ch Change) string {
	text := "is not in the source tree"
	if ch.OldPath != ch.Path {
		text = fmt.Sprintf("the source tree has no file %q", ch.OldPath)
	}
	return text + "; paths are read without their first component, as patch -p1 does"
}

func (p *Patch) apply(ch Change, current func(string) ([]byte, error), out map[string][]byte) error {
	fail := func(reason string) error {
		return &Error{Patch: p.Name, Line: ch.Line, File: ch.Path, Reason: reason}
	}
	if ch.Binary {
		return fail("a binary change; only text is applied")
	}
	var old []byte
	if ch.Kind != Create {
		var err error
		if old, err = current(ch.OldPath); errors.Is(err, fs.ErrNotExist) && ch.mayCreate() {
			old = nil
		} else if errors.Is(err, fs.ErrNotExist) {
			return fail(noFile(ch))
		} else if err != nil {
			return err
		}
	}
	if ch.Kind == Create || ch.Kind == Rename || ch.Kind == Copy {
		if _, err := current(ch.Path); err == nil {
			return fail("the source tree has this file already")
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	data, err := p.text(ch, old)
	if err != nil {
		return err
	}
	switch ch.Kind {
	case Delete:
		if len(data) > 0 {
			return fail("is deleted by the patch, but has other content in the source tree")
		}
		out[ch.Path] = nil
		return nil
	case Rename:
		out[ch.OldPath] = nil
	}
	out[ch.Path] = data
	return nil
}

// text applies the hunks of one file. The result is never nil.
func (p *Patch) text(ch Change, old []byte) ([]byte, error) {
	src := splitLines(old)
	var b strings.Builder
	next, drift := 0, 0 // first line of src that is not used yet; how far the last hunk was from where it said
	for i, f := range ch.Fragments {
		at, err := f.place(src, next, drift)
		if err != nil {
			return nil, &Error{Patch: p.Name, Line: f.Line, File: ch.Path, Hunk: i + 1, Reason: err.Error()}
		}
		drift = at - f.start()
		for _, l := range src[next:at] {
			b.WriteString(l)
		}
		next = at
		for _, l := range f.lines {
			if l.Old() {
				next++
			}
			if l.New() {
				b.WriteString(l.Line)
			}
		}
	}
	for _, l := range src[next:] {
		b.WriteString(l)
	}
	return []byte(b.String()), nil
}

// start is the 0-based line that the hunk names. A hunk without old lines names the line before it.
func (f Fragment) start() int {
	if len(f.old()) == 0 {
		return int(f.OldStart)
	}
	return max(int(f.OldStart)-1, 0)
}

// old are the lines that the hunk wants to find.
func (f Fragment) old() []string {
	var lines []string
	for _, l := range f.lines {
		if l.Old() {
			lines = append(lines, l.Line)
		}
	}
	return lines
}

// place finds the 0-based line of src, not before next, where the hunk's old lines stand. The line that the hunk
// names, moved as far as the last hunk was, wins; elsewhere there must be one place only. A hunk with less context before
// its changes than behind them was made at the file's beginning and applies only there; the other way round, at its end.
// These are patch(1)'s rules for --fuzz=0, but for its taking the nearest of several places.
func (f Fragment) place(src []string, next, drift int) (int, error) {
	want := f.old()
	named := f.start()
	if len(want) == 0 {
		if len(src) == 0 {
			return 0, nil
		}
		return 0, errors.New("has no context line to place it by")
	}
	before, behind := f.context()
	allowed := func(at int) bool {
		return (before >= behind || at == 0) && (behind >= before || at+len(want) == len(src))
	}
	fits := func(at int) bool { return at >= next && allowed(at) && matches(src, at, want) }
	if before+behind == 0 {
		// Nothing but the removed lines says where it belongs.
		if fits(named) {
			return named, nil
		}
		return 0, f.mismatch(src, named, want)
	}
	for _, at := range []int{named + drift, named} {
		if fits(at) {
			return at, nil
		}
	}
	var found []int
	for _, at := range occurrences(src, next, want) {
		if allowed(at) {
			if found = append(found, at); len(found) == 2 {
				break
			}
		}
	}
	switch len(found) {
	case 0:
		return 0, f.mismatch(src, named+drift, want)
	case 1:
		return found[0], nil
	}
	return 0, fmt.Errorf("is not at line %d, but fits at lines %d and %d alike", named+1, found[0]+1, found[1]+1)
}

// occurrences are the places in src, not before next, where want stands, in as many steps as there are lines: a file of equal
// lines would take their product otherwise.
func occurrences(src []string, next int, want []string) (found []int) {
	// border is, for each length of a start of want, how long a shorter start is that it ends with (Knuth, Morris, Pratt).
	border := make([]int, len(want)+1)
	border[0] = -1
	for i, k := 0, -1; i < len(want); {
		for k >= 0 && want[i] != want[k] {
			k = border[k]
		}
		i, k = i+1, k+1
		border[i] = k
	}
	for i, k := next, 0; i < len(src); {
		for k >= 0 && (k == len(want) || src[i] != want[k]) {
			k = border[k]
		}
		if i, k = i+1, k+1; k == len(want) {
			found = append(found, i-k)
		}
	}
	return found
}

// context counts the context lines before the first change and behind the last.
func (f Fragment) context() (before, behind int) {
	for before < len(f.lines) && f.lines[before].Op == gitdiff.OpContext {
		before++
	}
	for behind < len(f.lines)-before && f.lines[len(f.lines)-1-behind].Op == gitdiff.OpContext {
		behind++
	}
	return before, behind
}

func matches(src []string, at int, want []string) bool {
	if at < 0 || at+len(want) > len(src) {
		return false
	}
	for i, l := range want {
		if src[at+i] != l {
			return false
		}
	}
	return true
}

// mismatch names the first line that differs at the place where the hunk should apply.
func (f Fragment) mismatch(src []string, at int, want []string) error {
	at = max(at, 0)
	for i, l := range want {
		if at+i >= len(src) {
			return fmt.Errorf("does not apply: line %d should be %q, but the file has %d lines", at+i+1, trim(l), len(src))
		}
		if src[at+i] != l {
			return fmt.Errorf("does not apply: line %d should be %q, but is %q", at+i+1, trim(l), trim(src[at+i]))
		}
	}
	return fmt.Errorf("does not apply at line %d: it overlaps the hunk before it, or belongs at the file's beginning or end", at+1)
}

// trim bounds a line for a message.
func trim(l string) string {
	l = strings.TrimSuffix(l, "\n")
	if len(l) > 100 {
		return l[:100] + "..."
	}
	return l
}

// splitLines cuts data after each newline.
func splitLines(data []byte) []string {
	if len(data) == 0 {
		return nil
	}
	lines := strings.SplitAfter(string(data), "\n")
	if n := len(lines); lines[n-1] == "" {
		lines = lines[:n-1]
	}
	return lines
}
