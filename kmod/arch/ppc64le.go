package arch

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/arch/ppc64/ppc64asm"
)

type ppc64le struct{}

func (ppc64le) Machine() string { return "ppc64le" }

// Relocation kinds that package debug/elf does not know.
//
// Source: Power Architecture 64-Bit ELF V2 ABI Specification 1.5, 3.5.
const (
	ppcRel24NoTOC  = 116
	ppcEntry       = 118
	ppcPCRel34     = 132
	ppcGOTPCRel34  = 133
	ppcTOCSave     = 109
	ppcPrefixImm34 = 0x0000ffff0003ffff // of a prefixed instruction read as one little-endian number
)

// Field knows the kinds that the kernel's module loader applies and those of -mcmodel=medium and -mpcrel code.
//
// Source: arch/powerpc/kernel/module_64.c, v6.1 and v6.12.
func (ppc64le) Field(t uint32) (Field, error) {
	switch elf.R_PPC64(t) {
	case elf.R_PPC64_ADDR64, elf.R_PPC64_UADDR64, elf.R_PPC64_TOC:
		return Field{Size: 8}, nil
	case elf.R_PPC64_ADDR32, elf.R_PPC64_UADDR32:
		return Field{Size: 4}, nil
	case elf.R_PPC64_REL64:
		return Field{Size: 8, PCRel: true}, nil
	case elf.R_PPC64_REL32:
		return Field{Size: 4, PCRel: true}, nil
	case elf.R_PPC64_REL24, ppcRel24NoTOC:
		return Field{Size: 4, Mask: 0x03fffffc, PCRel: true, Branch: true}, nil
	case elf.R_PPC64_REL14:
		return Field{Size: 4, Mask: 0xfffc, PCRel: true, Branch: true}, nil
	case elf.R_PPC64_TOC16, elf.R_PPC64_TOC16_LO, elf.R_PPC64_TOC16_HI, elf.R_PPC64_TOC16_HA,
		elf.R_PPC64_ADDR16, elf.R_PPC64_ADDR16_LO, elf.R_PPC64_ADDR16_HI, elf.R_PPC64_ADDR16_HIGH, elf.R_PPC64_ADDR16_HIGHA, elf.R_PPC64_ADDR16_HA, elf.R_PPC64_ADDR16_HIGHER,
		elf.R_PPC64_ADDR16_HIGHERA, elf.R_PPC64_ADDR16_HIGHEST, elf.R_PPC64_ADDR16_HIGHESTA:
		return Field{Size: 2}, nil
	case elf.R_PPC64_TOC16_DS, elf.R_PPC64_TOC16_LO_DS, elf.R_PPC64_ADDR16_DS, elf.R_PPC64_ADDR16_LO_DS:
		return Field{Size: 2, Mask: 0xfffc}, nil
	case elf.R_PPC64_REL16, elf.R_PPC64_REL16_LO, elf.R_PPC64_REL16_HI, elf.R_PPC64_REL16_HA:
		return Field{Size: 2, PCRel: true}, nil
	case ppcPCRel34, ppcGOTPCRel34:
		return Field{Size: 8, Mask: ppcPrefixImm34, PCRel: true}, nil
	case elf.R_PPC64_NONE, ppcEntry, ppcTOCSave: // hints for the linker
		return Field{}, nil
	}
	return Field{}, fmt.Errorf("relocation kind %v is not known", elf.R_PPC64(t))
}

// ppcNop says whether an instruction is nop, or one of its forms that assemblers pad with: ori 0,0,0 to ori 2,2,0. That
// of r31 is a barrier against speculation.
func ppcNop(w uint32) bool {
	const ori = 24
	source, target := w>>21&31, w>>16&31
	return w>>26 == ori && w&0xffff == 0 && source == target && target <= 2
}

// Insn: four bytes, or eight with a prefix (ISA 3.1).
func (ppc64le) Insn(code []byte) (Insn, bool) {
	if len(code) < 4 {
		return Insn{}, false
	}
	w := binary.LittleEndian.Uint32(code)
	i := Insn{Len: 4, Nop: ppcNop(w)}
	switch op, absolute := w>>26, w&2 != 0; {
	case op == 1:
		if len(code) < 8 {
			return Insn{}, false
		}
		i.Len = 8
		// Types 0 and 2 have an immediate; R makes it count from the instruction.
		if suffix := binary.LittleEndian.Uint32(code[4:]); w>>24&1 == 0 && w&0x00100000 != 0 {
			i.Rel = PCRel{Size: 8, Reloc: ppcPCRel34, Disp: signed(uint64(w&0x3ffff)<<16|uint64(suffix&0xffff), 34)}
		}
	case op == 18 && !absolute:
		i.Call, i.Jump = w&1 != 0, w&1 == 0
		i.Rel = PCRel{Size: 4, Reloc: uint32(elf.R_PPC64_REL24), Disp: signed(uint64(w&0x03fffffc), 26)}
	case op == 16 && !absolute:
		i.Call, i.Jump = w&1 != 0, w&1 == 0
		i.Rel = PCRel{Size: 4, Reloc: uint32(elf.R_PPC64_REL14), Disp: signed(uint64(w&0xfffc), 16)}
	}
	return i, true
}

func (a ppc64le) Disassemble(code []byte, pc uint64) string {
	n := 4
	if i, ok := a.Insn(code); ok {
		n = i.Len
	}
	return disassembled(code, n, func() (string, error) {
		inst, err := ppc64asm.Decode(code, binary.LittleEndian)
		return ppc64asm.GNUSyntax(inst, pc), err
	})
}

func (ppc64le) Mapping(string) Mapping { return NotMapping }

func (ppc64le) Matched() bool { return false }

// Trace: -mprofile-kernel calls _mcount behind the set-up of r2 (8 bytes, where there is one), mflr and, before gcc 6,
// std; from 6.8 on the kernel can be compiled with -fpatchable-function-entry.
//
// Source: arch/powerpc/kernel/trace/ftrace.c, v6.1; arch/powerpc/Makefile, v6.12.
func (ppc64le) Trace() Trace {
	return Trace{Call: "_mcount", At: []uint64{4, 8, 12, 16}, Tables: []string{"__mcount_loc", "__patchable_function_entries"}}
}

// ppcFeature is struct fixup_entry: mask, value, and the bounds of the code and of its alternative, which is in a
// section __ftr_alt_*.
var ppcFeature = Table{Use: Walked, Sizes: []uint64{48}, First: 16, FromEntry: true, Alt: &Alternative{Start: 2, End: 3}}

// ppc64leTables holds for kernels 5.10 to 6.12.
//
// Source: v5.10, v6.1 and v6.12 of arch/powerpc/include/asm/{feature-fixups,bug,extable,jump_label}.h.
var ppc64leTables = map[string]Table{
	"__bug_table":               walked,
	"__ex_table":                walked,
	"__jump_table":              walked,
	"__ftr_fixup":               ppcFeature,
	"__mmu_ftr_fixup":           ppcFeature,
	"__fw_ftr_fixup":            ppcFeature,
	"__lwsync_fixup":            entries(8),
	"__stf_entry_barrier_fixup": entries(8),
	"__stf_exit_barrier_fixup":  entries(8),
	"__uaccess_flush_fixup":     entries(8),
	"__entry_flush_fixup":       entries(8),
	"__scv_entry_flush_fixup":   entries(8),
	"__rfi_flush_fixup":         entries(8),
	"__barrier_nospec_fixup":    entries(8),
	"__btb_flush_fixup":         {Use: Walked, Sizes: []uint64{16}, FromEntry: true},
	".toc":                      {Use: Pool, Sizes: []uint64{8}},
}

func (ppc64le) Table(section string) (Table, bool) {
	if strings.HasPrefix(section, "__ftr_alt_") {
		return Table{Use: Helper}, true
	}
	t, ok := ppc64leTables[section]
	return t, ok
}
