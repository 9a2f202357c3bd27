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
	"strings"

	"livesplice/kmod/diff"
	"livesplice/pipeline/rebuild"
)

// keepVariables compiles the patched unit once more where the compiler took variables out of it that the source has: a static
// variable that nobody in the file writes any more is folded into the code, and what the running kernel has in it would
// not be read. Marked as used, it stays what it was, and no other code changes. What cannot be kept stays refused.
func (c *creation) keepVariables(ctx context.Context, u PlannedUnit, pre, post *compiled, r *diff.Result) (*compiled, *diff.Result, error) {
	lost := r.Lost()
	unwritten, err := c.unwritten(ctx, u, r.Unseen())
	if err != nil || len(lost)+len(unwritten) == 0 {
		return post, r, err
	}
	k := &keeper{tree: c.tree.Source, unit: u.Source, files: maps.Clone(post.files), dropped: map[[2]string]bool{}}
	var kept []diff.LostVariable
	for _, v := range lost {
		if k.keep(v) {
			kept = append(kept, v)
		}
	}
	if len(kept) > 0 {
		again, err := c.compile(ctx, u, k.files)
		var build *rebuild.BuildError
		switch {
		case errors.As(err, &build): // what was added means something else there
		case err != nil:
			return nil, nil, err
		default:
			post = again
		}
	}
	post.dropped, post.unwritten = k.dropped, unwritten
	r, err = diff.Compare(u.Source, pre.obj, post.obj, c.postOptions(u, post))
	if err != nil {
		return nil, nil, err
	}
	left := map[[2]string]bool{}
	for _, v := range r.Lost() {
		left[[2]string{v.Function, v.Name}] = true
	}
	for _, v := range kept {
		if !left[[2]string{v.Function, v.Name}] {
			post.kept = append(post.kept, fmt.Sprintf("variable %s: nothing in the patched file writes it any more, or nothing reads it; it stays a variable in the update, with what the running kernel has in it", v.Name))
		}
	}
	return post, r, nil
}

// unwritten finds those variables that the shipped object lost and that nothing in the shipped unit writes, by its object with
// the variable in it.
func (c *creation) unwritten(ctx context.Context, u PlannedUnit, unseen []diff.LostVariable) (map[[2]string]bool, error) {
	known := map[[2]string]bool{}
	for _, v := range unseen {
		k := &keeper{tree: c.tree.Source, unit: u.Source, files: map[string][]byte{}, dropped: map[[2]string]bool{}}
		if !k.keep(v) {
			known[[2]string{v.Function, v.Name}] = k.dropped[[2]string{v.Function, v.Name}] // it was an automatic one
			continue
		}
		kept, err := c.compile(ctx, u, k.files)
		var build *rebuild.BuildError
		if errors.As(err, &build) { // what was added means something else there
			continue
		}
		if err != nil {
			return nil, err
		}
		writes, err := diff.Writes(kept.obj, v.Function, v.Name)
		if err != nil {
			return nil, err
		}
		known[[2]string{v.Function, v.Name}] = !writes
	}
	return known, nil
}

// postOptions are diffOptions with what was found out about post's variables.
func (c *creation) postOptions(u PlannedUnit, post *compiled) diff.Options {
	opts := c.diffOptions(u)
	opts.Dropped, opts.Unwritten = post.dropped, post.unwritten
	return opts
}

// keeper marks variables as used in the text of a patched unit.
type keeper struct {
	tree, unit string
	files      map[string][]byte
	dropped    map[[2]string]bool // by function and name: not static in the source
}

// keep marks one variable, where it is declared or at the end of the unit; numbers of lines stay what they are. It gives false where
// neither can be done, and where the source has no such static variable.
func (k *keeper) keep(v diff.LostVariable) bool {
	place, _, _ := strings.Cut(relative(fmt.Sprintf("%s:%d", v.File, v.Line), k.tree, k.unit), ":")
	if _, patched := k.files[place]; v.File != "" && (patched || place == k.unit) {
		switch marked, static := markUsed(k.text(place), v.Line, v.Name); {
		case marked != nil:
			k.files[place] = marked
			return true
		case !static && v.Function != "":
			k.dropped[[2]string{v.Function, v.Name}] = true
			return false
		}
	}
	text := k.text(k.unit)
	if v.Function != "" || text == nil {
		return false
	}
	k.files[k.unit] = fmt.Appendf(bytes.Clone(text), "\n#undef %s\nstatic __typeof__(%s) %s %s;\n", v.Name, v.Name, v.Name, usedAttribute)
	return true
}

// text is that of a file of the patched tree; nil where there is none, as of a source that the build makes.
func (k *keeper) text(name string) []byte {
	text, ok := k.files[name]
	if !ok {
		text, _ = os.ReadFile(filepath.Join(k.tree, name))
	}
	return text
}

const usedAttribute = "__attribute__((__used__))"

var staticRE = regexp.MustCompile(`\bstatic\b`)

// markUsed gives the text of a C file in which the static variable that a line declares is marked as used; nil if the line is not
// understood. static is false if it is, and declares no static variable.
func markUsed(text []byte, line int, name string) (marked []byte, static bool) {
	lines := bytes.SplitAfter(text, []byte("\n"))
	if line < 1 || line > len(lines) {
		return nil, true
	}
	at, before := lines[line-1], []byte(nil)
	if line > 1 {
		before = bytes.TrimSpace(lines[line-2])
	}
	named := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).FindIndex(at)
	if named == nil || bytes.HasPrefix(bytes.TrimSpace(at), []byte("#")) || bytes.HasSuffix(before, []byte("\\")) {
		return nil, true
	}
	words := staticRE.FindAllIndex(at[:named[0]], -1)
	if len(words) == 0 {
		begins := len(before) == 0 || strings.ContainsRune(";{}", rune(before[len(before)-1]))
		return nil, !begins || bytes.ContainsAny(at[:named[0]], "()") // the rest of a declaration, or a macro
	}
	last := words[len(words)-1][1]
	if bytes.ContainsAny(at[last:named[0]], ";{}") {
		return nil, true
	}
	lines[line-1] = bytes.Join([][]byte{at[:last], []byte(" " + usedAttribute), at[last:]}, nil)
	return bytes.Join(lines, nil), true
}
