package arch

import (
	"debug/elf"
	"fmt"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

type x86 struct{}

func (x86) Name() string { return "x86_64" }

// Field knows the kinds that the kernel's own module loader applies, and PC8/PC16 of hand-written code.
//
// Source: arch/x86/kernel/module.c, v6.1.
func (x86) Field(t uint32) (Field, error) {
	switch elf.R_X86_64(t) {
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
	}
	return Field{}, fmt.Errorf("relocation kind %v is not known", elf.R_X86_64(t))
}

func (x86) BranchReloc() uint32 { return uint32(elf.R_X86_64_PC32) }

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
