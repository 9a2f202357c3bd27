package diff

import (
	"fmt"
	"slices"

	"livesplice/kmod/unit"
)

// removedCallers refuses functions that the patch removes, that the running kernel goes on calling all the same, and that call
// one that is replaced: a timer or a work item that was set up before the update holds the address of the old callback, a module
// that of an old export. The old code would call the new one, perhaps with other arguments than that takes.
func (r *Result) removedCallers() error {
	var gone []*unit.Item
	for _, it := range r.Pre.Items {
		if it.Kind == unit.Function && it.Parent == nil && r.cmp.postOf[it] == nil && !r.neverRuns(it) {
			gone = append(gone, it)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	taken, calls, err := r.removedUses()
	if err != nil {
		return err
	}
	for _, it := range r.WithoutExport() {
		if taken[it] == nil {
			taken[it] = it
		}
	}
	redirected := map[*unit.Item]bool{}
	for it := range r.changed {
		redirected[r.PreOf(it)] = true
	}
	for _, it := range gone {
		if taken[it] == nil {
			if it.Global() {
				r.note("function %s is gone from the unit: what calls it in the running kernel goes on with the shipped code, whatever stands for the name in the patched source", it.Name)
			}
			continue
		}
		if to := r.reaches(it, calls, redirected); to != nil {
			r.refuse(RemovedCaller, it, fmt.Sprintf("the patch removes the function, and whoever has its address goes on calling it; it calls %s, which is replaced", to.Name),
				"keep the function, under its name, or leave what it calls as it is and add another function")
			continue
		}
		r.note("function %s is gone from the source: whoever has its address, such as a timer or a work item, goes on running the shipped code", it.Name)
	}
	return nil
}

// removedUses tells which functions of pre have their address taken, by which code or data, and which ones each function calls.
// Code that has run for the last time counts: what it has handed out is still there.
func (r *Result) removedUses() (taken map[*unit.Item]*unit.Item, calls map[*unit.Item][]*unit.Item, err error) {
	taken, calls = map[*unit.Item]*unit.Item{}, map[*unit.Item][]*unit.Item{}
	for _, it := range r.Pre.Items {
		refs, err := r.Pre.Refs(it)
		if err != nil {
			return nil, nil, err
		}
		from := it
		for from.Parent != nil {
			from = from.Parent
		}
		note := func(ref unit.Ref) {
			switch to := ref.To; {
			case to == nil || to.Kind != unit.Function || to == from && ref.Direct:
			case it.Kind == unit.Function && ref.Direct:
				calls[from] = append(calls[from], to)
			case ref.ToOffset == 0 && bootTable(it.Section.Name) == "" && taken[to] == nil:
				taken[to] = it
			}
		}
		for _, ref := range refs {
			note(ref)
		}
		for _, e := range r.cmp.special[r.Pre][it] {
			for _, ref := range slices.Concat(e.Refs, e.Replacement.Refs) {
				if ref.To != from { // about its own code
					note(ref)
				}
			}
		}
	}
	return taken, calls, nil
}

// reaches gives the replaced function that a removed one calls, itself or through others that are removed; nil for none.
func (r *Result) reaches(it *unit.Item, calls map[*unit.Item][]*unit.Item, redirected map[*unit.Item]bool) *unit.Item {
	seen := []*unit.Item{it}
	for i := 0; i < len(seen); i++ {
		for _, to := range calls[seen[i]] {
			switch {
			case redirected[to]:
				return to
			case r.cmp.postOf[to] == nil && !slices.Contains(seen, to):
				seen = append(seen, to)
			}
		}
	}
	return nil
}
