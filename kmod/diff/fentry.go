package diff

import (
	"slices"
	"strings"

	"livesplice/kmod/unit"
)

// hasFentry says whether ftrace can redirect the function: by the call that it begins with, or by its entry in a table.
func (r *Result) hasFentry(u *unit.Unit, it *unit.Item) bool {
	trace := u.Arch.Trace()
	for _, e := range r.cmp.special[u][it] {
		if slices.Contains(trace.Tables, e.Section.Name) && atEntry(u, it, e.Refs[0].ToOffset) {
			return true
		}
	}
	if _, ok := nopFentry(u, it); ok {
		return true
	}
	refs, err := u.Refs(it)
	if err != nil || trace.Call == "" {
		return false
	}
	for _, ref := range refs {
		if ref.Offset > trace.At[len(trace.At)-1] {
			return false
		}
		if ref.External != nil && ref.External.Name == trace.Call && ref.Direct && slices.Contains(trace.At, ref.Offset) {
			return true
		}
	}
	return false
}

// replaceCallers deals with changed functions that ftrace cannot redirect, or must not any more. The kernel defines inline as notrace, so
// that every inline function that the compiler did not inline is one, the body of each system call among them. When
// all its uses are direct calls within the unit, its callers are replaced instead and call the new copy; this goes up
// until each caller can be redirected. What remains is refused later, by checkReplaceable.
//
// Source: include/linux/compiler_types.h, v6.1.
func (r *Result) replaceCallers(why map[*unit.Item]*Reason) error {
	callers, err := r.callers()
	if err != nil {
		return err
	}
	var work []*unit.Item
	for _, it := range r.Post.Items {
		if why[it] != nil {
			work = append(work, it)
		}
	}
	for len(work) > 0 {
		it := work[0]
		work = work[1:]
		pre := r.PreOf(it)
		if it.Parent != nil || pre == nil || r.local[it] || r.hasFentry(r.Pre, pre) && r.hasFentry(r.Post, it) || !carriable(pre) || !carriable(it) || callers[it].taken {
			continue
		}
		r.local[it] = true
		for _, c := range callers[it].by {
			for c.Parent != nil {
				c = c.Parent
			}
			if r.neverRuns(c) {
				continue
			}
			if why[c] == nil && r.PreOf(c) != nil {
				why[c] = &Reason{Because: CalleeCarried, Of: it.Name}
				work = append(work, c)
			}
		}
	}
	return nil
}

// carriable says whether a copy of a function can serve all that use it: it is local to the unit and ordinary code.
func carriable(it *unit.Item) bool {
	sec := it.Section.Name
	return !it.Global() && (strings.HasPrefix(sec, ".text") || sec == ".sched.text")
}

// neverRuns says whether a function is never run again in a kernel that has booted and loaded its modules.
func (r *Result) neverRuns(it *unit.Item) bool {
	return bootOnly(it) && !(r.Options.Module && strings.HasPrefix(it.Section.Name, ".exit."))
}

// bootOnly says whether an item is in a section that code which stays must not refer to.
func bootOnly(it *unit.Item) bool {
	use := unit.KnownSection(it.Section.Name).Use
	return use == unit.InitText || use == unit.InitData
}

// use says who refers to a function: functions by direct calls, and whether its address is taken.
type use struct {
	by    []*unit.Item
	taken bool
}

func (r *Result) callers() (map[*unit.Item]use, error) {
	uses := map[*unit.Item]use{}
	note := func(it *unit.Item, ref unit.Ref) {
		if ref.To == nil || ref.To.Kind != unit.Function || ref.To == it || ref.To.Parent == it || it.Parent == ref.To {
			return
		}
		u := uses[ref.To]
		if it.Kind == unit.Function && ref.Direct && ref.ToOffset == 0 {
			u.by = append(u.by, it)
		} else {
			u.taken = true
		}
		uses[ref.To] = u
	}
	for _, it := range r.Post.Items {
		refs, err := r.Post.Refs(it)
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			note(it, ref)
		}
		for _, e := range r.cmp.special[r.Post][it] {
			for _, ref := range slices.Concat(e.Refs, e.Replacement.Refs) {
				note(it, ref)
			}
		}
	}
	return uses, nil
}
