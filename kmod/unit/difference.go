package unit

import (
	"debug/elf"
	"slices"

	"livesplice/kmod/elfobj"
)

// Assemblers of LoongArch write a difference as two relocations of one field: one adds a place, one subtracts another. Where
// the other is the field itself, the two are what other machines have a single PC-relative kind for, and LoongArch has
// since binutils 2.40. Where both are places of one section, as the ends of a piece of code are, their distance is known: nothing
// here lets the linker shorten code in between (R_LARCH_RELAX is not carried).
//
// Source: ELF for the LoongArch Architecture 2.30, R_LARCH_ADD32, R_LARCH_32_PCREL; binutils 2.44, -mthin-add-sub.

// mergeDifferences makes one relocation of each such pair.
func mergeDifferences(obj *elfobj.Object) {
	if obj.Machine != elf.EM_LOONGARCH {
		return
	}
	for _, s := range obj.Sections {
		if s.Type != elf.SHT_RELA || s.Applies == nil || !s.Applies.Alloc() {
			continue
		}
		merged := make([]elfobj.Reloc, 0, len(s.Relocs))
		s.Applies.Data = slices.Clone(s.Applies.Data) // what was read may be shared
		for i := 0; i < len(s.Relocs); i++ {
			r := s.Relocs[i]
			if knownDistance(s.Applies, s.Relocs[i:], obj.Order()) {
				i++
				continue
			}
			if kind, ok := fromOwnPlace(s.Applies, s.Relocs[i:]); ok {
				r.Type = kind
				i++
			}
			merged = append(merged, r)
		}
		s.Relocs = merged
	}
}

// fromOwnPlace says whether the first two relocations give the distance of a place from the field, and what kind of
// relocation does the same.
func fromOwnPlace(s *elfobj.Section, relocs []elfobj.Reloc) (kind uint32, ok bool) {
	if len(relocs) < 2 || relocs[0].Offset != relocs[1].Offset || relocs[1].Sym == nil {
		return 0, false
	}
	plus, minus := relocs[0], relocs[1]
	size := uint64(4)
	switch {
	case plus.Type == uint32(elf.R_LARCH_ADD32) && minus.Type == uint32(elf.R_LARCH_SUB32):
		kind = uint32(elf.R_LARCH_32_PCREL)
	case plus.Type == uint32(elf.R_LARCH_ADD64) && minus.Type == uint32(elf.R_LARCH_SUB64):
		kind, size = uint32(elf.R_LARCH_64_PCREL), 8
	default:
		return 0, false
	}
	// What stands in the field is added too.
	return kind, minus.Sym.Section == s && minus.Sym.Value+uint64(minus.Addend) == minus.Offset &&
		plus.Offset < uint64(len(s.Data)) && plus.Offset+size <= uint64(len(s.Data)) && zero(s, plus.Offset, plus.Offset+size)
}

// knownDistance says whether the first two relocations give the distance of two places of one section, and writes it into
// the field.
func knownDistance(s *elfobj.Section, relocs []elfobj.Reloc, order elfobj.ByteOrder) bool {
	if len(relocs) < 2 || relocs[0].Offset != relocs[1].Offset || relocs[0].Sym == nil || relocs[1].Sym == nil {
		return false
	}
	plus, minus := relocs[0], relocs[1]
	size := map[[2]elf.R_LARCH]uint64{
		{elf.R_LARCH_ADD8, elf.R_LARCH_SUB8}: 1, {elf.R_LARCH_ADD16, elf.R_LARCH_SUB16}: 2,
		{elf.R_LARCH_ADD32, elf.R_LARCH_SUB32}: 4, {elf.R_LARCH_ADD64, elf.R_LARCH_SUB64}: 8,
	}[[2]elf.R_LARCH{elf.R_LARCH(plus.Type), elf.R_LARCH(minus.Type)}]
	if size == 0 || plus.Sym.Section == nil || plus.Sym.Section != minus.Sym.Section || plus.Sym.Section == s ||
		plus.Offset >= uint64(len(s.Data)) || plus.Offset+size > uint64(len(s.Data)) || !zero(s, plus.Offset, plus.Offset+size) {
		return false
	}
	distance := plus.Sym.Value + uint64(plus.Addend) - minus.Sym.Value - uint64(minus.Addend)
	field := s.Data[plus.Offset : plus.Offset+size]
	switch size {
	case 1:
		field[0] = byte(distance)
	case 2:
		order.PutUint16(field, uint16(distance))
	case 4:
		order.PutUint32(field, uint32(distance))
	case 8:
		order.PutUint64(field, distance)
	}
	return true
}
