package diff

import (
	"fmt"
	"slices"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// splitAliases refuses what had an address in common with something else and gets one of its own: two functions or constants
// that the compiler found to be the same, and made one (ICF), or an alias of a static one. Whoever was given the address
// before has that of both, and goes on with what keeps it.
//
// Source: gcc 12, "-fipa-icf" in the manual.
func (r *Result) splitAliases() error {
	split := map[*unit.Item]*unit.Item{} // of post, with what it was in pre
	before, after := byOneName(r.Pre), byOneName(r.Post)
	for _, pre := range r.Pre.Items {
		if len(pre.Syms) < 2 || pre.Size() == 0 || Fresh(pre) || r.neverRuns(pre) {
			continue
		}
		for _, y := range pre.Syms {
			it := after[y.Name]
			if before[y.Name] != nil && it != nil && it != r.cmp.postOf[pre] && r.PreOf(it) == nil && it.Kind == pre.Kind {
				split[it] = pre
			}
		}
	}
	if len(split) == 0 {
		return nil
	}
	functions, err := r.functionUses(r.Pre)
	if err != nil {
		return err
	}
	data, err := r.constantHolders(r.Pre, nil)
	if err != nil {
		return err
	}
	for _, it := range r.Post.Items {
		pre := split[it]
		switch {
		case pre == nil:
		case pre.Writable():
			r.refusePost(AmbiguousStatic, it, fmt.Sprintf("it was another name of %s, and is a variable of its own: what the running kernel has in it would be lost", pre.Name),
				"keep it another name, or give the new variable a new one")
		case it.Kind == unit.Function && functions[pre].holder != nil:
			r.refusePost(HeldFunction, it, fmt.Sprintf("the shipped code has one function for it and %s, whose address has got out: %s. Whoever has it goes on calling what takes the place of that one",
				r.otherName(pre, it), r.holder(r.Pre, functions[pre].holder)), "change both functions, or the callers of this one")
		case it.Kind != unit.Function && data[pre] != nil:
			r.refusePost(DataChanged, it, fmt.Sprintf("the shipped code has one constant for it and %s, whose address has got out: %s. Whoever has it goes on with the old content",
				r.otherName(pre, it), r.holder(r.Pre, data[pre])), "change the code that uses the constant instead")
		}
	}
	return nil
}

// byOneName gives the items of a unit by those of their names that nothing else has: an object that was linked of several has
// some of its local names several times.
func byOneName(u *unit.Unit) map[string]*unit.Item {
	out, seen := map[string]*unit.Item{}, map[string]bool{}
	for _, it := range u.Items {
		for _, y := range it.Syms {
			if out[y.Name] = it; seen[y.Name] {
				out[y.Name] = nil
			}
			seen[y.Name] = true
		}
	}
	return out
}

// otherName is a name of an item of pre that one of post does not have.
func (r *Result) otherName(pre, post *unit.Item) string {
	for _, y := range pre.Syms {
		if !slices.ContainsFunc(post.Syms, func(z *elfobj.Symbol) bool { return z.Name == y.Name }) {
			return y.Name
		}
	}
	return pre.Name
}
