package unit

import (
	"fmt"
	"slices"

	"livesplice/kmod/elfobj"
)

// withNeighbours adds to refs the references from code in [start, end) of a section to other items of that section that
// have no relocation: the assembler knows how far two local functions of one section, such as .sched.text, are apart,
// and fills in the distance by itself. It holds only as long as both stay where they are. self is the item that the
// code belongs to, nil when it is none's.
func (u *Unit) withNeighbours(s *elfobj.Section, start, end uint64, self *Item, refs []Ref) ([]Ref, error) {
	relocated := map[uint64]bool{}
	for _, r := range refs {
		relocated[r.Offset] = true
	}
	added := false
	for at := start; at < end; {
		insn, ok := u.insn(s, at, end)
		if !ok {
			return nil, fmt.Errorf("offset %#x: no known instruction in % x", at-start, s.Data[at:min(at+15, end)])
		}
		rel := insn.Rel
		field := at - start + uint64(rel.At)
		if target := int64(at) + rel.Disp; rel.Reloc != 0 && !relocated[field] && (target < int64(start) || target >= int64(end)) {
			if to := u.ItemAt(s, target); to != self || to == nil {
				if to == nil {
					return nil, fmt.Errorf("offset %#x: a reference to %#x of %q, where nothing is", at-start, target, s.Name)
				}
				f, err := u.Arch.Field(rel.Reloc)
				if err != nil {
					return nil, fmt.Errorf("offset %#x: %w", at-start, err)
				}
				refs = append(refs, Ref{Offset: field, Type: rel.Reloc, Field: f, To: to, ToOffset: target - int64(to.Start),
					Bias: int64(insn.PC - rel.At), Direct: insn.Call || insn.Jump})
				added = true
			}
		}
		at += uint64(insn.Len)
	}
	if added {
		refs = slices.Clone(refs)
		slices.SortStableFunc(refs, func(a, b Ref) int { return int(int64(a.Offset) - int64(b.Offset)) })
	}
	return refs, nil
}
