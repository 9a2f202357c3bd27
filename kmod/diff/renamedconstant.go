package diff

import (
	"fmt"
	"slices"

	"livesplice/kmod/unit"
)

// renamedConstants refuses new constants that code hands out in place of one that is gone: objects of the running kernel have the
// address of the old one, go on with what it says, and are not what the new code takes for its own. Constants that code
// keeps to itself, and texts, are no matter: nobody has their addresses, and what a text said stays true.
func (r *Result) renamedConstants() error {
	gone := r.handOuts(r.Pre, func(it *unit.Item) bool { return r.cmp.postOf[it] == nil && !r.hasEqual(it, r.Post) })
	added := r.handOuts(r.Post, func(it *unit.Item) bool { return r.PreOf(it) == nil && !r.hasEqual(it, r.Pre) })
	if len(gone) == 0 || len(added) == 0 {
		return nil
	}
	walked := map[*unit.Item]bool{}
	for _, it := range slices.Concat(gone, added) {
		walked[it] = true
	}
	before, err := r.constantHolders(r.Pre, walked)
	if err != nil {
		return err
	}
	after, err := r.constantHolders(r.Post, walked)
	if err != nil {
		return err
	}
	which := func(it *unit.Item) bool { return it.Kind == unit.Datum }
	preUsers, postUsers := r.cmp.users(which)
	for _, it := range added {
		for _, old := range gone {
			if before[old] != nil && after[it] != nil && shareUser(preUsers[old], postUsers[it]) {
				r.refusePost(DataChanged, it, fmt.Sprintf("it takes the place of %s, which is gone, and objects that exist may go on with that: %s", old.Name, r.holder(r.Pre, before[old])),
					"keep the constant under its name, and change the code that uses it instead")
				break
			}
		}
	}
	return nil
}

// handOuts are the constants of a unit that are objects in C and that pass a test.
func (r *Result) handOuts(u *unit.Unit, test func(*unit.Item) bool) (out []*unit.Item) {
	for _, it := range u.Items {
		if it.Kind != unit.Datum || it.Writable() || it.Section.Exec() || !ordinary(it.Section.Name) || storageOf(it) != constant {
			continue
		}
		if unnamed := freshBase(it.Name) == compoundLiteral; (unnamed || !Fresh(it)) && test(it) {
			out = append(out, it)
		}
	}
	return out
}

// hasEqual says whether an object without a name in C, such as a compound literal, is also in the other unit.
func (r *Result) hasEqual(it *unit.Item, other *unit.Unit) bool {
	if !Fresh(it) {
		return false
	}
	for _, o := range other.Items {
		if o.Kind != unit.Datum || !Fresh(o) {
			continue
		}
		pre, post := it, o
		if other == r.Pre {
			pre, post = o, it
		}
		if r.cmp.sameFresh(pre, post) {
			return true
		}
	}
	return false
}
