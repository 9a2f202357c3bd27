package diff

import (
	"bytes"
	"slices"

	"livesplice/kmod/unit"
)

// whoseCode says whose code the first difference of two functions is, by the debug information: the function's own, or
// that of a function that was inlined into it.
func (r *Result) whoseCode(pre, post *unit.Item) Reason {
	at := r.firstDifference(pre, post)
	out := Reason{Because: CodeChanged, At: &at}
	a, okPre := r.Pre.Inlined(pre)
	b, okPost := r.Post.Inlined(post)
	if !okPre || !okPost {
		return out
	}
	// Where one side has inlined code and the other has not, that code is the difference.
	was, is := innermost(a, at), innermost(b, at)
	switch {
	case is.Name == "" && was.Name == "":
		out.Because = OwnCode
	case is.Name == was.Name || was.Depth <= is.Depth:
		out.Because, out.Of = Inlining, is.Name
	default:
		out.Because, out.Of = Inlining, was.Name
	}
	return out
}

// innermost is the deepest of the inlined calls whose code an offset is in; its Depth is 0 when there is none.
func innermost(calls []unit.Inlined, at uint64) (found unit.Inlined) {
	for _, c := range calls {
		if at >= c.Start && at < c.End && c.Depth > found.Depth {
			found = c
		}
	}
	return found
}

// firstDifference is the offset of the first instruction that differs.
func (r *Result) firstDifference(pre, post *unit.Item) uint64 {
	a, b, err := r.cmp.refs(pre, post)
	if err != nil {
		return 0
	}
	x, y := pre.Bytes(), post.Bytes()
	at := uint64(0)
	for at < uint64(min(len(x), len(y))) {
		n, ok := r.Post.InsnLen(post, at)
		if !ok || at+n > uint64(len(x)) {
			return at
		}
		mine := func(refs []unit.Ref) []unit.Ref {
			i, _ := slices.BinarySearchFunc(refs, at, func(f unit.Ref, at uint64) int { return int(int64(f.Offset) - int64(at)) })
			j := i
			for j < len(refs) && refs[j].Offset < at+n {
				j++
			}
			return refs[i:j]
		}
		ra, rb := mine(a), mine(b)
		if !r.cmp.references(ra, rb) || !r.cmp.equalInsn(x[at:at+n], y[at:at+n], at, rb) {
			return at
		}
		at += n
	}
	return at
}

// equalInsn compares the bytes of one instruction at an offset outside what relocations fill in.
func (c *comparer) equalInsn(a, b []byte, at uint64, refs []unit.Ref) bool {
	if bytes.Equal(a, b) {
		return true
	}
	moved := slices.Clone(refs)
	for i := range moved {
		moved[i].Offset -= at
		if moved[i].Offset+uint64(moved[i].Field.Size) > uint64(len(a)) {
			return false
		}
	}
	return c.equalOutside(a, b, moved)
}

// inlinedCalls adds the functions that are inlined newly, no longer, or are inlined and changed themselves.
func (r *Result) inlinedCalls(l *reasonList, pre, post *unit.Item) {
	was, okPre := inlinedNames(r.Pre, pre)
	is, okPost := inlinedNames(r.Post, post)
	if !okPre || !okPost {
		return
	}
	for _, name := range is {
		if !slices.Contains(was, name) {
			l.add(Reason{Because: Inlining, Of: name, Detail: "it is inlined newly"})
		} else if r.changedByName(name) {
			l.add(Reason{Because: Inlining, Of: name, Detail: "it changed, and is inlined"})
		}
	}
	for _, name := range was {
		if !slices.Contains(is, name) {
			l.add(Reason{Because: Inlining, Of: name, Detail: "it is no longer inlined"})
		}
	}
}

// inlinedNames are the functions inlined into a function or its parts, each once, in order of place.
func inlinedNames(u *unit.Unit, it *unit.Item) ([]string, bool) {
	var names []string
	for _, part := range append([]*unit.Item{it}, it.Children...) {
		calls, ok := u.Inlined(part)
		if !ok {
			return nil, false
		}
		for _, c := range calls {
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	return names, true
}

// changedByName says whether the unit has a function of this name of its own, beside the inlined copies, whose code
// changed.
func (r *Result) changedByName(name string) bool {
	return slices.ContainsFunc(r.Changes, func(c Change) bool {
		return c.Name == name && c.Kind == "function" && c.Verdict == Changed && c.reason != nil && c.reason.Because == CodeChanged
	})
}
