package arch

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/arch/arm64/arm64asm"
)

type aarch64 struct{}

func (aarch64) Machine() string { return "aarch64" }

// Bits of the immediate operands of A64 instructions, which are also the fields of relocations.
//
// Source: Arm Architecture Reference Manual, C4.1; ELF for the Arm 64-bit Architecture (IHI 0056), 5.7.
const (
	a64imm26 = 0x03ffffff // B, BL
	a64imm19 = 0x00ffffe0 // B.cond, CBZ, LDR (literal)
	a64imm16 = 0x001fffe0 // MOVZ, MOVN, MOVK
	a64imm14 = 0x0007ffe0 // TBZ
	a64imm21 = 0x60ffffe0 // ADR, ADRP: immlo and immhi
	a64imm12 = 0x003ffc00 // ADD, LDR (unsigned offset)
)

// Field knows the kinds that the kernel's module loader applies.
//
// Source: arch/arm64/kernel/module.c, v6.1.
func (aarch64) Field(t uint32) (Field, error) {
	switch k := elf.R_AARCH64(t); k {
	case elf.R_AARCH64_ABS64:
		return Field{Size: 8}, nil
	case elf.R_AARCH64_ABS32:
		return Field{Size: 4}, nil
	case elf.R_AARCH64_ABS16:
		return Field{Size: 2}, nil
	case elf.R_AARCH64_PREL64:
		return Field{Size: 8, PCRel: true}, nil
	case elf.R_AARCH64_PREL32:
		return Field{Size: 4, PCRel: true}, nil
	case elf.R_AARCH64_PREL16:
		return Field{Size: 2, PCRel: true}, nil
	case elf.R_AARCH64_CALL26, elf.R_AARCH64_JUMP26:
		return Field{Size: 4, Mask: a64imm26, PCRel: true, Branch: true}, nil
	case elf.R_AARCH64_CONDBR19:
		return Field{Size: 4, Mask: a64imm19, PCRel: true, Branch: true}, nil
	case elf.R_AARCH64_TSTBR14:
		return Field{Size: 4, Mask: a64imm14, PCRel: true, Branch: true}, nil
	case elf.R_AARCH64_LD_PREL_LO19:
		return Field{Size: 4, Mask: a64imm19, PCRel: true}, nil
	case elf.R_AARCH64_ADR_PREL_LO21, elf.R_AARCH64_ADR_PREL_PG_HI21, elf.R_AARCH64_ADR_PREL_PG_HI21_NC:
		return Field{Size: 4, Mask: a64imm21, PCRel: true}, nil
	case elf.R_AARCH64_ADD_ABS_LO12_NC, elf.R_AARCH64_LDST8_ABS_LO12_NC, elf.R_AARCH64_LDST16_ABS_LO12_NC,
		elf.R_AARCH64_LDST32_ABS_LO12_NC, elf.R_AARCH64_LDST64_ABS_LO12_NC, elf.R_AARCH64_LDST128_ABS_LO12_NC:
		return Field{Size: 4, Mask: a64imm12}, nil
	default:
		if k >= elf.R_AARCH64_MOVW_UABS_G0 && k <= elf.R_AARCH64_MOVW_SABS_G2 {
			return Field{Size: 4, Mask: a64imm16}, nil
		}
		if k >= movwPrelG0 && k <= movwPrelG3 {
			return Field{Size: 4, Mask: a64imm16, PCRel: true}, nil
		}
	}
	return Field{}, fmt.Errorf("relocation kind %v is not known", elf.R_AARCH64(t))
}

// R_AARCH64_MOVW_PREL_G0 to R_AARCH64_MOVW_PREL_G3, which package debug/elf does not know.
const movwPrelG0, movwPrelG3 = 287, 293

const aarch64Nop = 0xd503201f

// Insn knows the instructions that count from their own address; all are four bytes.
func (aarch64) Insn(code []byte) (Insn, bool) {
	if len(code) < 4 {
		return Insn{}, false
	}
	w := binary.LittleEndian.Uint32(code)
	i := Insn{Len: 4, Nop: w == aarch64Nop}
	rel := func(kind elf.R_AARCH64, disp int64) {
		i.Rel = PCRel{Size: 4, Reloc: uint32(kind), Disp: disp}
	}
	switch {
	case w&0x7c000000 == 0x14000000:
		kind := elf.R_AARCH64_JUMP26
		if i.Call = w>>31 != 0; i.Call {
			kind = elf.R_AARCH64_CALL26
		}
		i.Jump = !i.Call
		rel(kind, signed(uint64(w), 26)<<2)
	case w&0xff000000 == 0x54000000, w&0x7e000000 == 0x34000000: // B.cond, CBZ
		i.Jump = true
		rel(elf.R_AARCH64_CONDBR19, signed(uint64(w>>5), 19)<<2)
	case w&0x7e000000 == 0x36000000: // TBZ
		i.Jump = true
		rel(elf.R_AARCH64_TSTBR14, signed(uint64(w>>5), 14)<<2)
	case w&0x9f000000 == 0x10000000: // ADR
		rel(elf.R_AARCH64_ADR_PREL_LO21, signed(uint64(w>>5&0x7ffff)<<2|uint64(w>>29&3), 21))
	case w&0x3b000000 == 0x18000000: // LDR (literal)
		rel(elf.R_AARCH64_LD_PREL_LO19, signed(uint64(w>>5), 19)<<2)
	}
	return i, true
}

// signed gives the number in the low bits of v.
func signed(v uint64, bits int) int64 { return int64(v<<(64-bits)) >> (64 - bits) }

func (aarch64) Disassemble(code []byte, pc uint64) string {
	return disassembled(code, 4, func() (string, error) {
		inst, err := arm64asm.Decode(code)
		return arm64asm.GNUSyntax(inst), err
	})
}

// Mapping: $x and $d, also with a dot and anything behind it.
//
// Source: ELF for the Arm 64-bit Architecture (IHI 0056), 5.5.5.
func (aarch64) Mapping(symbol string) Mapping {
	switch name, _, _ := strings.Cut(symbol, "."); name {
	case "$x":
		return MapsCode
	case "$d":
		return MapsData
	}
	return NotMapping
}

func (aarch64) Matched() bool { return false }

// Trace: the kernel is compiled with -fpatchable-function-entry=2, or 4,2.
//
// Source: arch/arm64/Makefile, v5.10 and v6.12.
func (aarch64) Trace() Trace { return Trace{Tables: []string{"__patchable_function_entries"}} }

// aarch64Tables: replacement code is assembled into a subsection behind the function since 5.9.
//
// Source: v5.10, v6.1 and v6.12 of arch/arm64/include/asm/{alternative,alternative-macros,asm-bug,asm-extable,jump_label}.h.
var aarch64Tables = map[string]Table{
	"__bug_table":           walked,
	"__ex_table":            walked,
	".altinstructions":      {Use: Walked, Sizes: []uint64{12}, Alt: &Alternative{Start: 1, Len: lastByte, Inline: true}},
	".altinstr_replacement": {Use: Helper},
}

func (aarch64) Table(section string) (Table, bool) {
	t, ok := aarch64Tables[section]
	return t, ok
}
