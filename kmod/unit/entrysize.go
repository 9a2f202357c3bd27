package unit

import (
	"fmt"

	"livesplice/kmod/elfobj"
)

// Types knows the kernel's types, by its BTF or DWARF data.
type Types interface {
	// StructSize is the size in bytes of the struct with that tag; ok is false when there is none.
	StructSize(tag string) (bytes uint64, ok bool)
}

// seenSizes are the sizes in bytes that kernels 5.10 to 7.2 gave the entries of their tables. They serve only to doubt
// a size that was measured by the spacing of relocations, where no types are at hand.
//
// Source: arch/x86/include/asm/{alternative,extable,paravirt_types}.h, include/linux/jump_label.h,
// include/asm-generic/bug.h, v5.10, v6.1, v6.12 and v7.2.
var seenSizes = map[string][]uint64{
	"jump_entry":            {16},
	"bug_entry":             {6, 8, 10, 12, 16},
	"alt_instr":             {12, 13, 14},
	"exception_table_entry": {12},
	"paravirt_patch_site":   {16},
}

// entrySize is the size in bytes of the entries of a table. All entries must have relocations of the same kinds at the
// same places, the first at their start; otherwise the table is not what it is taken for, which is an error.
func (u *Unit) entrySize(s *elfobj.Section, known Section) (uint64, error) {
	first, seen := uint64(0), seenSizes[known.Entry]
	if known.Shape != nil {
		first = known.Shape.First
		if known.Shape.Sizes != nil {
			seen = known.Shape.Sizes
		}
	}
	if s.Rela == nil || len(s.Rela.Relocs) == 0 || s.Rela.Relocs[0].Offset != first {
		return 0, fmt.Errorf("no relocation at its start: not a table of code addresses")
	}
	relocs, total := s.Rela.Relocs, s.Size()
	var size uint64
	inKernel := false
	switch {
	case known.Use == Annotation:
		return spacing(relocs, total), nil // objtool's own layouts, which it checks itself
	case known.Entry == "s32" || known.Entry == "unsigned long":
		f, err := u.Arch.Field(relocs[0].Type)
		if err != nil {
			return 0, err
		}
		size, inKernel = uint64(f.Size), true
	case u.Types != nil:
		size, inKernel = u.Types.StructSize(known.Entry)
	}
	if inKernel {
		if size == 0 || !known.holds(relocs, size, total) {
			return 0, fmt.Errorf("%d bytes with %d relocations are not a table of %s, which the kernel gives %d bytes", total, len(relocs), known.Entry, size)
		}
		return size, nil
	}
	for _, size := range seen {
		if known.holds(relocs, size, total) {
			return size, nil
		}
	}
	return 0, fmt.Errorf("entries of %d bytes are not known (expected one of %v)", spacing(relocs, total), seen)
}

// holds says whether a table of total bytes can be one of entries of the given size. In .parainstructions the padding at
// the end of an entry is made by the next one, so that the last lacks it.
//
// Source: arch/x86/include/asm/paravirt_types.h, _paravirt_alt, v5.10 and v6.1.
func (known Section) holds(relocs []elfobj.Reloc, size, total uint64) bool {
	const sitePadding = 6 // bytes behind struct paravirt_patch_site's last member
	if rest := total % size; known.Entry == "paravirt_patch_site" && size > sitePadding && rest >= size-sitePadding {
		total += size - rest
	}
	return total%size == 0 && periodic(relocs, size, total/size)
}

// spacing is the smallest period of the relocations of a table: each entry has its relocations at the same places.
func spacing(relocs []elfobj.Reloc, total uint64) uint64 {
	const longest = 1 << 10 // bytes, far more than any entry has
	for _, r := range relocs[1:] {
		size := r.Offset - relocs[0].Offset
		if size > longest {
			break
		}
		if size > 0 && total%size == 0 && periodic(relocs, size, total/size) {
			return size
		}
	}
	return total
}

func periodic(relocs []elfobj.Reloc, size, n uint64) bool {
	per := uint64(0)
	for per < uint64(len(relocs)) && relocs[per].Offset < size {
		per++
	}
	if per*n != uint64(len(relocs)) {
		return false
	}
	for i, r := range relocs {
		k := uint64(i)
		if r.Offset != k/per*size+relocs[k%per].Offset || r.Type != relocs[k%per].Type {
			return false
		}
	}
	return true
}
