package arch

import (
	"debug/elf"
	"encoding/binary"
	"fmt"

	"golang.org/x/arch/loong64/loong64asm"
)

type loongarch64 struct{}

func (loongarch64) Machine() string { return "loongarch64" }

// Bits of the immediate operands of LoongArch instructions, which are also the fields of relocations.
//
// Source: LoongArch Reference Manual, volume 1, 1.2; ELF for the LoongArch Architecture 2.30, table 2.
const (
	la16  = 0x03fffc00 // offs16: bits 25:10
	la21  = 0x03fffc1f // offs21: its upper five bits in 4:0
	la26  = 0x03ffffff // offs26: its upper ten bits in 9:0
	laI20 = 0x01ffffe0 // si20: bits 24:5
	laI12 = 0x003ffc00 // si12: bits 21:10

	laCall36 = la16<<32 | laI20 // PCADDU18I with JIRL behind it, read as one number
)

// Field knows the kinds that the kernel's module loader applies, and hints for the linker, which the loader ignores. The
// stack machine of the first assemblers (binutils 2.38) is not known.
//
// Source: arch/loongarch/kernel/module.c, v6.1 and v6.12.
func (loongarch64) Field(t uint32) (Field, error) {
	switch k := elf.R_LARCH(t); k {
	case elf.R_LARCH_NONE, elf.R_LARCH_MARK_LA, elf.R_LARCH_MARK_PCREL, elf.R_LARCH_RELAX, elf.R_LARCH_ALIGN:
		return Field{}, nil
	case elf.R_LARCH_64, elf.R_LARCH_ADD64, elf.R_LARCH_SUB64:
		return Field{Size: 8}, nil
	case elf.R_LARCH_32, elf.R_LARCH_ADD32, elf.R_LARCH_SUB32:
		return Field{Size: 4}, nil
	case elf.R_LARCH_ADD16, elf.R_LARCH_SUB16:
		return Field{Size: 2}, nil
	case elf.R_LARCH_ADD8, elf.R_LARCH_SUB8:
		return Field{Size: 1}, nil
	case elf.R_LARCH_32_PCREL:
		return Field{Size: 4, PCRel: true}, nil
	case elf.R_LARCH_64_PCREL:
		return Field{Size: 8, PCRel: true}, nil
	case elf.R_LARCH_B16:
		return Field{Size: 4, Mask: la16, PCRel: true, Branch: true}, nil
	case elf.R_LARCH_B21:
		return Field{Size: 4, Mask: la21, PCRel: true, Branch: true}, nil
	case elf.R_LARCH_B26:
		return Field{Size: 4, Mask: la26, PCRel: true, Branch: true}, nil
	case elf.R_LARCH_CALL36:
		return Field{Size: 8, Mask: laCall36, PCRel: true, Branch: true}, nil
	case elf.R_LARCH_PCALA_HI20, elf.R_LARCH_PCALA64_LO20, elf.R_LARCH_GOT_PC_HI20, elf.R_LARCH_GOT64_PC_LO20, elf.R_LARCH_PCREL20_S2:
		return Field{Size: 4, Mask: laI20, PCRel: true}, nil
	case elf.R_LARCH_ABS_HI20, elf.R_LARCH_ABS64_LO20:
		return Field{Size: 4, Mask: laI20}, nil
	case elf.R_LARCH_ABS_LO12, elf.R_LARCH_ABS64_HI12, elf.R_LARCH_PCALA_LO12, elf.R_LARCH_GOT_PC_LO12:
		return Field{Size: 4, Mask: laI12}, nil
	case elf.R_LARCH_PCALA64_HI12, elf.R_LARCH_GOT64_PC_HI12:
		return Field{Size: 4, Mask: laI12, PCRel: true}, nil
	default:
		return Field{}, fmt.Errorf("relocation kind %v is not known", k)
	}
}

// laNop is ANDI of r0 with 0.
const laNop = 0x03400000

// Insn knows the instructions that count from their own address; all are four bytes.
func (loongarch64) Insn(code []byte) (Insn, bool) {
	if len(code) < 4 {
		return Insn{}, false
	}
	w := binary.LittleEndian.Uint32(code)
	i := Insn{Len: 4, Nop: w == laNop}
	rel := func(kind elf.R_LARCH, disp int64) {
		i.Rel = PCRel{Size: 4, Reloc: uint32(kind), Disp: disp}
	}
	offs16 := uint64(w >> 10 & 0xffff)
	switch op := w >> 26; {
	case op == 0x14, op == 0x15: // B, BL
		i.Jump, i.Call = op == 0x14, op == 0x15
		rel(elf.R_LARCH_B26, signed(uint64(w&0x3ff)<<16|offs16, 26)<<2)
	case op >= 0x10 && op <= 0x12: // BEQZ, BNEZ, BCEQZ and BCNEZ
		i.Jump = true
		rel(elf.R_LARCH_B21, signed(uint64(w&0x1f)<<16|offs16, 21)<<2)
	case op >= 0x16 && op <= 0x1b: // BEQ, BNE, BLT, BGE, BLTU, BGEU
		i.Jump = true
		rel(elf.R_LARCH_B16, signed(offs16, 16)<<2)
	case w>>25 == 0x0c: // PCADDI
		rel(elf.R_LARCH_PCREL20_S2, signed(uint64(w>>5&0xfffff), 20)<<2)
	}
	return i, true
}

func (loongarch64) Disassemble(code []byte, pc uint64) string {
	return disassembled(code, 4, func() (string, error) {
		inst, err := loong64asm.Decode(code)
		return loong64asm.GNUSyntax(inst), err
	})
}

func (loongarch64) Mapping(string) Mapping { return NotMapping }

func (loongarch64) Matched() bool { return false }

// Trace: the kernel is compiled with -fpatchable-function-entry=2.
//
// Source: arch/loongarch/Makefile, v6.1 and v6.12.
func (loongarch64) Trace() Trace { return Trace{Tables: []string{"__patchable_function_entries"}} }

// loongarch64Tables: replacement code is assembled into a subsection behind the function.
//
// Source: v6.12 of arch/loongarch/include/asm/{alternative,asm-extable,bug,jump_label}.h.
var loongarch64Tables = map[string]Table{
	"__bug_table":           walked,
	"__ex_table":            walked,
	"__jump_table":          walked,
	".altinstructions":      {Use: Walked, Sizes: []uint64{12}, Alt: &Alternative{Start: 1, Len: lastByte, Inline: true}},
	".altinstr_replacement": {Use: Helper},
}

func (loongarch64) Table(section string) (Table, bool) {
	t, ok := loongarch64Tables[section]
	return t, ok
}
