package arch

import (
	"debug/elf"
	"fmt"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

type x86 struct{}

func (x86) Machine() string { return "x86_64" }

// Field knows the kinds that the kernel's own module loader applies, and PC8 for short jumps.
//
// Source: arch/x86/kernel/module.c, v6.1.
func (x86) Field(t uint32) (Field, error) {
	switch elf.R_X86_64(t) {
	case elf.R_X86_64_NONE: // what objtool leaves where it took a call away
		return Field{}, nil
	case elf.R_X86_64_64:
		return Field{Size: 8}, nil
	case elf.R_X86_64_PC64:
		return Field{Size: 8, PCRel: true}, nil
	case elf.R_X86_64_32:
		return Field{Size: 4}, nil
	case elf.R_X86_64_32S:
		return Field{Size: 4, Signed: true}, nil
	case elf.R_X86_64_PC32, elf.R_X86_64_PLT32:
		return Field{Size: 4, PCRel: true}, nil
	case elf.R_X86_64_PC8: // the assembler's short jump between neighbours: see Insn
		return Field{Size: 1, PCRel: true, Signed: true}, nil
	}
	return Field{}, fmt.Errorf("relocation kind %v is not known", elf.R_X86_64(t))
}

func (x86) Insn(code []byte) (Insn, bool) {
	d, ok := decodeX86(code)
	if !ok {
		return Insn{}, false
	}
	return d.insn(code), true
}

// Disassemble leaves the text to x/arch, whose decoder lacks ENDBR64 and newer extensions; those are shown as bytes.
func (a x86) Disassemble(code []byte, pc uint64) string {
	if len(code) >= 4 && string(code[:4]) == "\xf3\x0f\x1e\xfa" {
		return "endbr64"
	}
	n := min(len(code), 8)
	if i, ok := a.Insn(code); ok {
		n = i.Len
	}
	inst, err := x86asm.Decode(code, 64)
	if err != nil || inst.Len != n {
		return "(bytes " + strings.TrimSpace(fmt.Sprintf("% x", code[:n])) + ")"
	}
	return x86asm.GNUSyntax(inst, pc, nil)
}

func (x86) Mapping(string) Mapping { return NotMapping }

func (x86) Matched() bool { return true }

// Trace: -mfentry puts the call at the start, or behind an ENDBR64. Up to 5.9 recordmcount, and since then objtool, make a nop
// of it: recordmcount in each section whose name it does not know, as those of -ffunction-sections. The relocation stays, as
// one of a kind that changes nothing.
//
// Source: make_nop_x86 and nop_mcount in scripts/recordmcount.[ch], v3.10 to v5.10; annotate_call_site in
// tools/objtool/check.c, v6.1.
func (x86) Trace() Trace {
	return Trace{Call: "__fentry__", At: []uint64{1, 5}, Tables: []string{"__mcount_loc"}, Pad: []byte("\xf3\x0f\x1e\xfa"), Nop: &TraceNop{At: []uint64{0, 4},
		Code:  [][]byte{{0x0f, 0x1f, 0x44, 0, 0}, {0x66, 0x66, 0x66, 0x66, 0x90}, {0x3e, 0x8d, 0x74, 0x26, 0}},
		Reloc: true, Kind: uint32(elf.R_X86_64_NONE), Field: 1}}
}

// x86AltLen: the length of the replacement is the last byte of an entry, but in the 13-byte layout of 5.10, where the
// length of the padding follows it.
func x86AltLen(entry []byte) uint64 {
	if len(entry) == 13 {
		return uint64(entry[11])
	}
	return lastByte(entry)
}

// x86AltPatched: the length of what is replaced stands in front of that of the replacement.
func x86AltPatched(entry []byte) uint64 {
	if len(entry) == 13 {
		return uint64(entry[10])
	}
	return uint64(entry[len(entry)-2])
}

// Table: .altinstructions has 12 bytes an entry up to 4.0, 13 with the length of the padding up to 5.12, then 12 again, and 14
// since 6.3.
//
// Source: v3.10, v4.4, v5.10, v6.1 and v6.12 of arch/x86/include/asm/alternative.h.
func (x86) Table(section string) (Table, bool) {
	if section == ".altinstructions" {
		return Table{Use: Walked, Sizes: []uint64{12, 13, 14}, Alt: x86Alternative}, true
	}
	return Table{}, false
}

var x86Alternative = &Alternative{Start: 1, Len: x86AltLen, Patched: x86AltPatched}
