package unit

import (
	"debug/elf"
	"fmt"
	"slices"

	"livesplice/kmod/elfobj"
)

// Piecewise says whether a section holds pieces of code without symbols, each of which belongs to the function that
// leads to it: the slow paths of static_cpu_has(), taken before alternatives are applied, and, before 5.16, what runs
// after a fault that the exception table knows.
//
// Source: arch/x86/include/asm/cpufeature.h, v5.10 and v6.1; arch/x86/include/asm/uaccess.h, v5.10.
func Piecewise(section string) bool { return section == ".altinstr_aux" || section == ".fixup" }

// addPieces splits such a section at the places that jumps in other sections and the exception table name.
func (u *Unit) addPieces(s *elfobj.Section) {
	const jump = 4 // a jump's field ends its instruction
	starts := []uint64{0}
	for _, other := range u.Obj.Sections {
		if other.Type != elf.SHT_RELA || other.Applies == s || !other.Applies.Alloc() {
			continue
		}
		behind := int64(0)
		if other.Applies.Exec() {
			behind = jump
		}
		for _, r := range other.Relocs {
			if r.Sym != nil && r.Sym.Section == s {
				if at := uint64(int64(r.Sym.Value) + r.Addend + behind); at < s.Size() {
					starts = append(starts, at)
				}
			}
		}
	}
	slices.Sort(starts)
	starts = append(slices.Compact(starts), s.Size())
	for i := 0; i+1 < len(starts); i++ {
		u.add(&Item{Kind: Anonymous, Name: fmt.Sprintf("%s+%#x", s.Name, starts[i]), Section: s, Start: starts[i], End: starts[i+1]})
	}
}
