package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/layout"
	"livesplice/pipeline/rebuild"
)

// shape is a struct, union or enum whose definition gives existing objects or numbers another meaning.
type shape struct {
	code    diff.Code
	subject string // "struct foo"
	what    string // what differs
	file    string // relative to the tree; where it is defined in both sources
	preLine int64
	line    int64 // in the patched file
}

func (s shape) source() string { return s.file + ":" + strconv.FormatInt(s.line, 10) }

// shapes compares the definitions that two objects of a unit hold.
func (c *creation) shapes(u PlannedUnit, pre, post *layout.Unit) ([]shape, error) {
	var out []shape
	place := func(file string, line int64) string {
		rel, _, _ := strings.Cut(relative(fmt.Sprintf("%s:%d", file, line), c.tree.Source, u.Source), ":")
		return rel
	}
	changed, err := layout.Compare(pre, post)
	if err != nil {
		return nil, fmt.Errorf("object of %s: %w", u.Source, err)
	}
	for _, ch := range changed {
		out = append(out, shape{code: codeLayout, subject: ch.Pre.Name, what: ch.String(), file: place(ch.Post.File, ch.Post.Line), preLine: ch.Pre.Line, line: ch.Post.Line})
	}
	changes := layout.CompareConstants(pre, post)
	for len(changes) > 0 {
		first := changes[0].Post
		n := 1
		for n < len(changes) && changes[n].Post.File == first.File && changes[n].Post.Line == first.Line {
			n++
		}
		out = append(out, shape{code: codeEnum, subject: first.Of, what: layout.DescribeConstants(changes[:n]), file: place(first.File, first.Line),
			preLine: changes[0].Pre.Line, line: first.Line})
		changes = changes[n:]
	}
	return out, nil
}

// compareShapes refuses definitions that code of the update depends on, beside r. Whether it does, the compiler says: when
// the same code comes out with the old definition, it works on old objects as it does on new ones.
func (c *creation) compareShapes(ctx context.Context, u PlannedUnit, pre, post *compiled, r *diff.Result) error {
	all, err := c.shapes(u, pre.types, post.types)
	if err != nil || len(all) == 0 {
		return err
	}
	p := &relayout{creation: c, unit: u, pre: pre, post: post, result: r, all: all}
	needed, err := p.needed(ctx)
	if err != nil {
		return err
	}
	users, err := post.types.Users()
	if err != nil {
		return fmt.Errorf("object of %s: %w", u.Source, err)
	}
	for _, s := range all {
		why, ok := needed[s.subject]
		if !ok {
			r.Notes = append(r.Notes, fmt.Sprintf("%s changes (%s), and nothing in the update depends on it: the old definition makes the same code", s.subject, s.what))
			continue
		}
		if names := intersect(users[s.subject], r); len(names) > 0 {
			why = strings.TrimSuffix("used by "+strings.Join(names, ", ")+"; "+why, "; ")
		}
		reason, remedy := "the layout changes: %s; what exists of it in the running kernel keeps the old one", "keep the layout, and put what is new into a shadow variable"
		if s.code == codeEnum {
			reason, remedy = "its numbers change: %s; what the running kernel has stored keeps the old ones", "add new enumerators at the end"
		}
		reason = fmt.Sprintf(reason, s.what)
		if why != "" {
			reason += "; " + why
		}
		r.Refusals = append(r.Refusals, diff.Refusal{Code: s.code, Unit: u.Source, Subject: s.subject, Source: filepath.Join(c.tree.Source, s.source()), Reason: reason, Remedy: remedy})
	}
	return nil
}

// compareVariables refuses variables of which new code takes for something else what old code left there.
func (c *creation) compareVariables(u PlannedUnit, pre, post *compiled, r *diff.Result) {
	for _, name := range r.KeptVariables() {
		if ch, ok := layout.CompareVariable(pre.types, post.types, name); ok {
			r.Refusals = append(r.Refusals, diff.Refusal{Code: codeLayout, Unit: u.Source, Subject: name,
				Reason: ch.String() + "; the running kernel's variable keeps what it holds, as it is", Remedy: "keep the type, or give the new variable another name"})
		}
	}
}

// intersect gives those of the names that functions of an update have, in order.
func intersect(names []string, r *diff.Result) []string {
	brought := map[string]bool{}
	for _, it := range r.Brought() {
		brought[it.Name] = true
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !brought[n] })
}

// relayout compiles the patched unit with old definitions.
type relayout struct {
	*creation
	unit      PlannedUnit
	pre, post *compiled
	result    *diff.Result
	all       []shape // that differ between pre and post
}

// needed gives the subjects that code of the update depends on, with what shows it ("" if nothing more is known).
func (p *relayout) needed(ctx context.Context) (map[string]string, error) {
	const most = 16 // compilations: a second or two each
	gone, why, err := p.without(ctx, p.all)
	if err != nil || why == "" && len(gone) == len(p.all) {
		return nil, err
	}
	needed := map[string]string{}
	for _, s := range p.all {
		needed[s.subject] = ""
	}
	if len(p.all) == 1 {
		needed[p.all[0].subject] = why
		return needed, nil
	}
	for _, s := range p.all[:min(most, len(p.all))] {
		gone, why, err := p.without(ctx, []shape{s})
		if err != nil {
			return nil, err
		}
		if why != "" {
			if _, still := needed[s.subject]; still {
				needed[s.subject] = why
			}
			continue
		}
		for _, subject := range gone {
			delete(needed, subject)
		}
	}
	return needed, nil
}

// without compiles the patched unit with the old definitions of some shapes. It gives the shapes that are then as in pre,
// and what in the update needs the new ones; "" if nothing does, or if a definition was not found in the text, when
// gone does not name it.
func (p *relayout) without(ctx context.Context, shapes []shape) (gone []string, why string, err error) {
	files := maps.Clone(p.post.files)
	shapes = slices.Clone(shapes)
	slices.SortFunc(shapes, func(a, b shape) int { return int(b.line - a.line) }) // from the end, since lines behind a change move
	reverted := map[string]bool{}
	for _, s := range shapes {
		text, patched := files[s.file]
		if !patched || reverted[s.source()] {
			continue
		}
		older, err := os.ReadFile(filepath.Join(p.tree.Source, s.file))
		if err != nil {
			continue // the file is new
		}
		if text, ok := withDefinition(older, text, s.preLine, s.line); ok {
			files[s.file], reverted[s.source()] = text, true
		}
	}
	if len(reverted) == 0 {
		return nil, "", nil
	}
	hybrid, err := p.compile(ctx, p.unit, files)
	var build *rebuild.BuildError
	if errors.As(err, &build) {
		return nil, "needed at " + build.FirstError, nil
	}
	if err != nil {
		return nil, "", err
	}
	if err := hybrid.readTypes(p.unit); err != nil {
		return nil, "", err
	}
	r, err := diff.Compare(p.unit.Source, hybrid.obj, p.post.obj, p.diffOptions(p.unit))
	if err != nil {
		return nil, "", err
	}
	if names := p.dependent(r); len(names) > 0 {
		return nil, "the code of " + strings.Join(names, ", ") + " depends on it", nil
	}
	still, err := p.shapes(p.unit, p.pre.types, hybrid.types)
	if err != nil {
		return nil, "", err
	}
	left := map[string]bool{}
	for _, s := range still {
		left[s.subject] = true
	}
	for _, s := range p.all {
		if !left[s.subject] {
			gone = append(gone, s.subject)
		}
	}
	return gone, "", nil
}

// dependent names what the update brings and what comes out otherwise with the old definitions: functions, and all data.
func (p *relayout) dependent(r *diff.Result) []string {
	brought := map[string]bool{}
	for _, it := range p.result.Brought() {
		brought[it.Name] = true
	}
	var names []string
	for _, ch := range r.Changes {
		if ch.Verdict != diff.Unchanged && (ch.Kind != "function" || ch.Verdict != diff.Removed && brought[ch.Name]) {
			names = append(names, ch.Name)
		}
	}
	return names
}
