package diff

import (
	"fmt"

	"livesplice/kmod/unit"
)

// renamedVariables refuses new variables that may be old ones under another name: as large, of the same kind of memory, and used by
// a function that used the one that vanished. What that holds in the running kernel, a list or a lock that is taken, would be lost.
func (r *Result) renamedVariables() {
	state := func(it *unit.Item) bool {
		return it.Kind == unit.Datum && it.Writable() && !Fresh(it) && !r.neverRuns(it)
	}
	var gone, added []*unit.Item
	for _, it := range r.Pre.Items {
		if state(it) && r.cmp.postOf[it] == nil {
			gone = append(gone, it)
		}
	}
	for _, it := range r.Post.Items {
		if state(it) && r.PreOf(it) == nil && !r.cmp.ambiguous[it] {
			added = append(added, it)
		}
	}
	if len(gone) == 0 || len(added) == 0 {
		return
	}
	preUsers, postUsers := r.cmp.users(state)
	for _, it := range added {
		for _, old := range gone {
			if old.Size() == it.Size() && storageOf(old) == storageOf(it) && shareUser(preUsers[old], postUsers[it]) {
				r.refusePost(AmbiguousStatic, it, fmt.Sprintf("%s, as large and used by the same code, is gone: if this is the same variable under another name, what the running kernel has in it would be lost", old.Name),
					"keep the variable's name")
				break
			}
		}
	}
}
