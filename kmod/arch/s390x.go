package arch

import (
	"debug/elf"
	"encoding/binary"
	"fmt"

	"golang.org/x/arch/s390x/s390xasm"
)

type s390x struct{}

func (s390x) Machine() string { return "s390x" }

// Field knows the kinds that the kernel's module loader applies to compiled code.
//
// Source: arch/s390/kernel/module.c, v6.1.
func (s390x) Field(t uint32) (Field, error) {
	switch elf.R_390(t) {
	case elf.R_390_64:
		return Field{Size: 8}, nil
	case elf.R_390_32:
		return Field{Size: 4}, nil
	case elf.R_390_16:
		return Field{Size: 2}, nil
	case elf.R_390_8:
		return Field{Size: 1}, nil
	case elf.R_390_12:
		return Field{Size: 2, Mask: 0x0fff}, nil
	case elf.R_390_20:
		return Field{Size: 4, Mask: 0x0fffff00}, nil
	case elf.R_390_PC64:
		return Field{Size: 8, PCRel: true}, nil
	case elf.R_390_PC32, elf.R_390_PC32DBL, elf.R_390_PLT32DBL, elf.R_390_GOTENT:
		return Field{Size: 4, PCRel: true}, nil
	case elf.R_390_PC16, elf.R_390_PC16DBL, elf.R_390_PLT16DBL:
		return Field{Size: 2, PCRel: true}, nil
	}
	return Field{}, fmt.Errorf("relocation kind %v is not known", elf.R_390(t))
}

// Insn knows the instructions that count from their own address. The first two bits give the length.
//
// Source: z/Architecture Principles of Operation, chapter 5 and appendix B.
func (s390x) Insn(code []byte) (Insn, bool) {
	if len(code) < 2 {
		return Insn{}, false
	}
	i := Insn{Len: [4]int{2, 4, 4, 6}[code[0]>>6]}
	if len(code) < i.Len {
		return Insn{}, false
	}
	const offset = 2 // of every such field
	half := func() {
		i.Rel = PCRel{At: offset, Size: 2, Reloc: uint32(elf.R_390_PC16DBL), Disp: 2 * int64(int16(binary.BigEndian.Uint16(code[offset:])))}
	}
	word := func() {
		i.Rel = PCRel{At: offset, Size: 4, Reloc: uint32(elf.R_390_PC32DBL), Disp: 2 * int64(int32(binary.BigEndian.Uint32(code[offset:])))}
	}
	op, mask, low := code[0], code[1]>>4, code[1]&15
	switch op {
	case 0x07, 0x47: // BCR, BC
		i.Nop = mask == 0
	case 0xa7:
		switch low {
		case 4: // BRC
			if i.Nop = mask == 0; !i.Nop {
				i.Jump = true
				half()
			}
		case 5: // BRAS
			i.Call = true
			half()
		case 6, 7: // BRCT, BRCTG
			i.Jump = true
			half()
		}
	case 0x84, 0x85: // BRXH, BRXLE
		i.Jump = true
		half()
	case 0xc0:
		switch low {
		case 0: // LARL
			word()
		case 4: // BRCL
			if i.Nop = mask == 0; !i.Nop {
				i.Jump = true
				word()
			}
		case 5: // BRASL
			i.Call = true
			word()
		}
	case 0xc4, 0xc6: // LGRL and its kind, CGRL and its kind, EXRL
		word()
	case 0xcc:
		if i.Jump = low == 6; i.Jump { // BRCTH
			word()
		}
	case 0xec:
		switch code[5] {
		case 0x44, 0x45, 0x64, 0x65, 0x76, 0x77, 0x7c, 0x7d, 0x7e, 0x7f: // BRXHG, BRXLG, CGRJ, CLGRJ, CRJ, CLRJ, CGIJ, CLGIJ, CIJ, CLIJ
			i.Jump = true
			half()
		}
	}
	return i, true
}

func (a s390x) Disassemble(code []byte, pc uint64) string {
	n := 2
	if i, ok := a.Insn(code); ok {
		n = i.Len
	}
	return disassembled(code, n, func() (string, error) {
		inst, err := s390xasm.Decode(code[:n])
		return s390xasm.GNUSyntax(inst, pc), err
	})
}

func (s390x) Mapping(string) Mapping { return NotMapping }

func (s390x) Matched() bool { return false }

// Trace: the kernel is compiled with -mfentry, and with -mrecord-mcount -mnop-mcount, which puts a nop in the call's place.
// Before gcc 9 it was -mhotpatch=0,3, which makes the same nop, and recordmcount.pl lists it in the sections that it knows.
//
// Source: arch/s390/Makefile, v4.4, v5.10 and v6.12; scripts/recordmcount.pl, v4.4.
func (s390x) Trace() Trace {
	return Trace{Call: "__fentry__", At: []uint64{2}, Tables: []string{"__mcount_loc"},
		Nop: &TraceNop{At: []uint64{0}, Code: [][]byte{{0xc0, 0x04, 0, 0, 0, 0}}}}
}

// s390xTables holds for kernels 5.10 to 6.12. The sections of expolines have an entry for each branch that goes through
// a thunk (__s390_indirect_jump_r1).
//
// Source: v5.10, v6.1 and v6.12 of arch/s390/include/asm/{alternative,bug,asm-extable,extable,nospec-insn}.h; gcc's
// -mindirect-branch-table.
var s390xTables = map[string]Table{
	"__bug_table":             walked,
	"__ex_table":              walked,
	".altinstructions":        {Use: Walked, Sizes: []uint64{11, 12, 13}, Alt: &Alternative{Start: 1, Len: lastByte}},
	".altinstr_replacement":   {Use: Helper},
	".s390_indirect_branches": entries(4),
	".s390_indirect_jump":     entries(4),
	".s390_indirect_call":     entries(4),
	".s390_return_reg":        entries(4),
	".s390_return_mem":        entries(4),
}

func (s390x) Table(section string) (Table, bool) {
	t, ok := s390xTables[section]
	return t, ok
}
