package diff

import (
	"debug/elf"
	"slices"

	"livesplice/kmod/arch"
	"livesplice/kmod/unit"
)

// constants lets changed constants be new ones, of which the code that uses them gets a copy: tables of numbers that
// all code of this unit, old and new, reads where they are. Their users then count as changed. A constant whose address
// code computes or data holds stays paired and so is refused: an object of the running kernel may have it, and would go on
// with the old content, or find that the new code takes it for another object.
func (r *Result) constants() error {
	var changed []*unit.Item
	for _, it := range r.Post.Items {
		pre := r.PreOf(it)
		if it.Kind != unit.Datum || pre == nil || Fresh(it) || !plainConstant(r.Post, it) || !plainConstant(r.Pre, pre) {
			continue
		}
		same, err := r.cmp.content(pre, it)
		if err != nil {
			return err
		}
		if !same {
			changed = append(changed, it)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	walked := map[*unit.Item]bool{}
	for _, it := range changed {
		walked[it], walked[r.PreOf(it)] = true, true
	}
	before, err := r.constantHolders(r.Pre, walked)
	if err != nil {
		return err
	}
	after, err := r.constantHolders(r.Post, walked)
	if err != nil {
		return err
	}
	for _, it := range changed {
		pre := r.PreOf(it)
		if by := before[pre]; by != nil {
			r.holders[it] = r.holder(r.Pre, by)
			continue
		}
		if by := after[it]; by != nil {
			r.holders[it] = r.holder(r.Post, by)
			continue
		}
		delete(r.cmp.preOf, it)
		delete(r.cmp.postOf, pre)
		r.note("constant %s changed: the functions that use it get a copy", it.Name)
	}
	return nil
}

// plainConstant says whether an item is a constant of this unit alone, without pointers, and in a section of its own: of a place that
// is counted from the start of a section it cannot be told for certain which of several items is meant.
func plainConstant(u *unit.Unit, it *unit.Item) bool {
	return len(u.ItemsIn(it.Section)) == 1 && storageOf(it) == constant && !it.Global() && !it.Section.Exec() && ordinary(it.Section.Name) && len(it.Section.RelocsIn(it.Start, it.End)) == 0
}

// constantHolders gives for each item of a unit one that has its address, or can have it: data, code that does anything
// else with it than to read what is there, code that alternatives bring, and any code of a machine for which that cannot be told.
// Of those in walked, code that keeps the address to itself is followed (see staysInRegisters).
func (r *Result) constantHolders(u *unit.Unit, walked map[*unit.Item]bool) (map[*unit.Item]*unit.Item, error) {
	held := make(map[*unit.Item]*unit.Item, len(u.Items))
	note := func(by *unit.Item, refs []unit.Ref) {
		for _, ref := range refs {
			if ref.To != nil && held[ref.To] == nil {
				held[ref.To] = by
			}
		}
	}
	for _, it := range u.Items {
		refs, err := u.Refs(it)
		if err != nil {
			return nil, err
		}
		if it.Section.Exec() && u.Obj.Machine == elf.EM_X86_64 {
			stays := map[*unit.Item]bool{}
			refs = slices.DeleteFunc(notReadInPlace(u, it, refs), func(ref unit.Ref) bool {
				if _, known := stays[ref.To]; !known && walked[ref.To] {
					stays[ref.To] = r.staysInRegisters(u, it, ref.To)
				}
				return stays[ref.To]
			})
		}
		note(it, refs)
		for _, e := range r.cmp.special[u][it] {
			note(it, e.Refs)
			note(it, e.Replacement.Refs)
		}
	}
	return held, nil
}

// notReadInPlace gives those of the references of code of x86-64 that do not belong to an instruction which loads from the
// place.
func notReadInPlace(u *unit.Unit, it *unit.Item, refs []unit.Ref) (out []unit.Ref) {
	reads := map[uint64]bool{}
	// An error is that of u.Refs, which gave refs. What cannot be decoded is no read.
	_ = u.InsnFields(it, func(ref unit.Ref, code []byte, field uint64) {
		if arch.MemoryReadX86(code, field) {
			reads[ref.Offset] = true
		}
	})
	for _, ref := range refs {
		if !reads[ref.Offset] {
			out = append(out, ref)
		}
	}
	return out
}
