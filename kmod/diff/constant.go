package diff

import (
	"debug/elf"

	"livesplice/kmod/arch"
	"livesplice/kmod/unit"
)

// constants lets changed constants be new ones, of which the code that uses them gets a copy: tables of numbers that
// only functions of this unit refer to. Their users then count as changed. A constant with pointers in it, or one with whose
// address code compares, stays paired and so is refused: objects of the running kernel may hold its address (a struct
// file_operations), by which code tells what they are.
func (r *Result) constants() error {
	held, err := heldByData(r.Post)
	if err != nil {
		return err
	}
	heldBefore, err := heldByData(r.Pre)
	if err != nil {
		return err
	}
	comparedByCode(r.Post, held)
	comparedByCode(r.Pre, heldBefore)
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

// comparedByCode adds the items with whose address an instruction of x86-64 compares. Of an address that goes to other places
// package finding warns.
func comparedByCode(u *unit.Unit, held map[*unit.Item]bool) {
	if u.Obj.Machine != elf.EM_X86_64 {
		return
	}
	for _, it := range u.Items {
		if !it.Section.Exec() {
			continue
		}
		// Code whose references cannot be read is refused where it is compared.
		_ = u.InsnRefs(it, func(ref unit.Ref, code []byte, atEnd bool) {
			if ref.To != nil && atEnd && comparesImmediate(code) {
				held[ref.To] = true
			}
		})
	}
}

// comparesImmediate says whether an instruction compares with the number at its end.
func comparesImmediate(code []byte) bool {
	op, modrm := arch.OpcodeX86(code)
	return op == 0x3d || op == 0x81 && modrm>>3&7 == 7
}
