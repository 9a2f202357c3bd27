package unit

import (
	"fmt"
	"slices"

	"livesplice/kmod/elfobj"
)

// Types knows the kernel's types, by its BTF or DWARF data.
type Types interface {
	// StructSize is the size in bytes of the struct with that tag; ok is false when there is none.
	StructSize(tag string) (bytes uint64, ok bool)
}

// entrySize is the size in bytes of the entries of a table. All entries must have relocations of the same kinds at the
// same places, the first at their start; otherwise the table is not what it is taken for, which is an error. Where the
// kernel's types are not known, the table itself tells the size.
func (u *Unit) entrySize(s *elfobj.Section, known Section) (uint64, error) {
	first, sizes := uint64(0), []uint64(nil)
	if known.Shape != nil {
		first, sizes = known.Shape.First, known.Shape.Sizes
	}
	if known.Use == Annotation && (s.Rela == nil || len(s.Rela.Relocs) == 0) {
		return s.Size(), nil // a mark without a place
	}
	if s.Rela == nil || len(s.Rela.Relocs) == 0 || s.Rela.Relocs[0].Offset != first && known.Use != Annotation {
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
	if layout, ok := entryLayouts[known.Entry]; ok {
		size, err := u.sizeByRefs(s, known, layout)
		if err == nil && known.Shape != nil && known.Shape.Alt != nil && !slices.Contains(sizes, size) {
			return 0, fmt.Errorf("where entries of %d bytes have the length of their code is not known (but of %v bytes)", size, sizes)
		}
		return size, err
	}
	for _, size := range sizes {
		if known.holds(relocs, size, total) {
			return size, nil
		}
	}
	return 0, fmt.Errorf("entries of %d bytes are not known (expected one of %v)", spacing(relocs, total), sizes)
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
