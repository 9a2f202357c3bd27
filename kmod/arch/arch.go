// Package arch holds what differs between machines in the objects that are compared and matched: relocation kinds,
// instruction boundaries, how a call looks. Each machine has a file of its own behind the interface Arch.
package arch

import (
	"debug/elf"
	"fmt"
)

// Field is the place that a relocation fills in.
type Field struct {
	Size   int  // bytes: 1, 2, 4 or 8
	PCRel  bool // the value stored is relative to the field's own address
	Signed bool // a 4-byte absolute value is extended with its sign, not with zeroes
}

// Insn is one instruction's shape.
type Insn struct {
	Len int
	// Call and Jump say that control goes to the place that a PC-relative field of this instruction names.
	Call, Jump bool
	// Rel is, for a Call or Jump, the size in bytes of that field, which ends the instruction.
	Rel int
	// Const is the size in bytes of the number that ends the instruction, when it does nothing but load this number into a
	// register, memory or onto the stack; 0 otherwise.
	Const int
	// Nop says that the instruction does nothing, whatever its length.
	Nop bool
}

// Arch is one machine.
type Arch interface {
	// Name is the kernel's name of the architecture, as in ARCH=.
	Name() string
	// Field gives the shape of a relocation's field; an error names a kind that is not known.
	Field(relocType uint32) (Field, error)
	// BranchReloc is the kind of relocation that the 4-byte field of a direct call or jump takes.
	BranchReloc() uint32
	// Insn gives the shape of the instruction at the start of code; ok is false for bytes that are none.
	Insn(code []byte) (insn Insn, ok bool)
	// Disassemble gives the text of the instruction at the start of code, for messages.
	Disassemble(code []byte, pc uint64) string
}

// For gives the machine of an object, or an error that names it.
func For(m elf.Machine) (Arch, error) {
	if m == elf.EM_X86_64 {
		return x86{}, nil
	}
	return nil, fmt.Errorf("objects of %v are not supported, only %v", m, elf.EM_X86_64)
}
