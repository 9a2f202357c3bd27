package match

import "livesplice/kmod/unit"

// NotInUse says why a weak function of the unit may not be the definition that the kernel runs; "" for one that is, and for
// a function that is not weak.
//
// The name alone does not tell: another unit can define it with the same bytes, and the kernel then has both copies, of which
// the weak one is dead. But the linker leaves a unit's code in one piece and in the order of its object, so that the place
// of the weak function is known from its neighbours.
func (r *Result) NotInUse(it *unit.Item) string {
	if !it.Weak() {
		return ""
	}
	f := r.m.byItem[it]
	switch {
	case f == nil:
		return "it was not located"
	case f.found == nil:
		return r.m.explain(f).Reason
	case !r.m.amongOwn(f):
		return "the kernel's function of this name is equal to it, but does not stand where this unit's is"
	}
	return ""
}

// amongOwn says whether a located function is where the link put its unit: between two functions that the unit alone
// defines, or next to the one that it stands next to in the object.
func (m *matcher) amongOwn(f *function) bool {
	if s := m.spans()[stretch(f.item)]; s.low < f.found.addr && f.found.addr < s.high {
		return true
	}
	var own []*function // of the same input section, in the object's order
	at := 0
	for _, g := range m.functions {
		if stretch(g.item) != stretch(f.item) {
			continue
		}
		if g == f {
			at = len(own)
		}
		own = append(own, g)
	}
	anchor := func(i int) bool { return i >= 0 && i < len(own) && own[i].found != nil && !own[i].item.Weak() }
	return anchor(at-1) && m.touch(own[at-1].found, f.found) || anchor(at+1) && m.touch(f.found, own[at+1].found)
}
