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
// all its uses, old and new, are direct calls within the unit, its callers are replaced instead and call the new copy; this goes up
// until each caller can be redirected. What remains is refused later, by checkReplaceable.
//
// Source: include/linux/compiler_types.h, v6.1.
func (r *Result) replaceCallers(why map[*unit.Item]*Reason) error {
	var work []*unit.Item
	for _, it := range r.Post.Items {
		if why[it] != nil && r.throughCallers(it) {
			work = append(work, it)
		}
	}
	if len(work) == 0 {
		return nil
	}
	after, err := r.functionUses(r.Post)
	if err != nil {
		return err
	}
	before, err := r.functionUses(r.Pre)
	if err != nil {
		return err
	}
	for len(work) > 0 {
		it := work[0]
		work = work[1:]
		pre := r.PreOf(it)
		if r.local[it] || !r.throughCallers(it) {
			continue
		}
		if by := before[pre].holder; by != nil {
			r.holders[it] = r.holder(r.Pre, by)
			continue
		}
		if by := after[it].holder; by != nil {
			r.holders[it] = r.holder(r.Post, by)
			continue
		}
		if by := r.runAtLoad(slices.Concat(before[pre].by, after[it].by)); by != nil {
			r.holders[it] = by.Name + ", init code of the module, calls it, and runs as shipped when the module is loaded after the update"
			continue
		}
		r.local[it] = true
		for _, c := range after[it].by {
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

// throughCallers says whether a function of post is one whose callers can be replaced instead, as far as it shows itself.
func (r *Result) throughCallers(it *unit.Item) bool {
	pre := r.PreOf(it)
	return it.Parent == nil && pre != nil && carriable(pre) && carriable(it) && !(r.hasFentry(r.Pre, pre) && r.hasFentry(r.Post, it))
}

// carriable says whether a copy of a function can serve all that use it: it is local to the unit and ordinary code.
func carriable(it *unit.Item) bool {
	sec := it.Section.Name
	return !it.Global() && (strings.HasPrefix(sec, ".text") || sec == ".sched.text")
}
