package diff

import "livesplice/kmod/unit"

// constants lets changed constants be new ones, of which the code that uses them gets a copy: tables of numbers that
// only functions of this unit refer to. Their users then count as changed. A constant with pointers in it stays paired
// and so is refused: objects of the running kernel may hold its address (a struct file_operations).
func (r *Result) constants() error {
	held, err := heldByData(r.Post)
	if err != nil {
		return err
	}
	heldBefore, err := heldByData(r.Pre)
	if err != nil {
		return err
	}
	for _, it := range r.Post.Items {
		pre := r.PreOf(it)
		if it.Kind != unit.Datum || pre == nil || Fresh(it) || held[it] || heldBefore[pre] || !plainConstant(it) || !plainConstant(pre) {
			continue
		}
		same, err := r.cmp.content(pre, it)
		if err != nil {
			return err
		}
		if !same {
			delete(r.cmp.preOf, it)
			delete(r.cmp.postOf, pre)
			r.note("constant %s changed: the functions that use it get a copy", it.Name)
		}
	}
	return nil
}

// plainConstant says whether an item is a constant of this unit alone, without pointers.
func plainConstant(it *unit.Item) bool {
	return storageOf(it) == constant && !it.Global() && !it.Section.Exec() && ordinary(it.Section.Name) && len(it.Section.RelocsIn(it.Start, it.End)) == 0
}

// heldByData are the items whose address data holds.
func heldByData(u *unit.Unit) (map[*unit.Item]bool, error) {
	held := make(map[*unit.Item]bool, len(u.Items))
	for _, it := range u.Items {
		if it.Kind == unit.Function {
			continue
		}
		refs, err := u.Refs(it)
		if err != nil {
			return nil, err
		}
		for _, ref := range refs {
			held[ref.To] = true
		}
	}
	return held, nil
}
