package unit

import (
	"fmt"
	"slices"

	"livesplice/kmod/arch"
)

// withNeighbours adds the references to other items of the same section that have no relocation: the assembler knows
// how far two local functions of one section, such as .sched.text, are apart, and fills in the call by itself. The
// distance holds only as long as both stay where they are.
func (u *Unit) withNeighbours(it *Item, refs []Ref) ([]Ref, error) {
	relocated := map[uint64]bool{}
	for _, r := range refs {
		relocated[r.Offset] = true
	}
	code := it.Bytes()
	added := false
	for at := uint64(0); at < uint64(len(code)); {
		insn, ok := u.Arch.Insn(code[at:])
		if !ok {
			return nil, fmt.Errorf("offset %#x: no known instruction in % x", at, code[at:min(at+15, uint64(len(code)))])
		}
		next := at + uint64(insn.Len)
		field := next - uint64(insn.Rel)
		if insn.Rel > 0 && !relocated[field] {
			target := int64(it.Start+next) + displacement(code[field:next])
			if to := u.ItemAt(it.Section, target); to != it {
				if to == nil {
					return nil, fmt.Errorf("offset %#x: a branch to %#x of %q, where nothing is", at, target, it.Section.Name)
				}
				refs = append(refs, Ref{Offset: field, Type: u.Arch.BranchReloc(), Field: arch.Field{Size: insn.Rel, PCRel: true, Signed: true},
					To: to, ToOffset: target - int64(to.Start), Bias: int64(insn.Rel), Direct: true})
				added = true
			}
		}
		at = next
	}
	if added {
		refs = slices.Clone(refs)
		slices.SortStableFunc(refs, func(a, b Ref) int { return int(int64(a.Offset) - int64(b.Offset)) })
	}
	return refs, nil
}

// displacement reads a signed little-endian number.
func displacement(b []byte) int64 {
	v := int64(int8(b[len(b)-1]))
	for i := len(b) - 2; i >= 0; i-- {
		v = v<<8 | int64(b[i])
	}
	return v
}
