// Package arch holds what differs between machines in the objects that are compared and matched: relocation kinds,
// instruction boundaries, how a call looks, the tables that the kernel walks. Each machine has a file of its own behind
// the interface Arch.
package arch

import (
	"debug/elf"
	"fmt"

	"livesplice/kmod/elfobj"
)

// Field is the place that a relocation fills in.
type Field struct {
	Size int // bytes: 1, 2, 4 or 8; 0 for a kind that changes nothing
	// Mask are the bits that are filled in, of the field read as a number in the machine's byte order; 0 means all. The
	// others belong to the instruction.
	Mask   uint64
	PCRel  bool // the value stored is relative to the field's own address
	Signed bool // a 4-byte absolute value is extended with its sign, not with zeroes
	Branch bool // only branches have such a field
}

// Of reads the field as a number.
func (f Field) Of(order elfobj.ByteOrder, b []byte) uint64 {
	switch f.Size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(order.Uint16(b))
	case 4:
		return uint64(order.Uint32(b))
	}
	return order.Uint64(b)
}

// Clear sets to zero the bits that a relocation fills in.
func (f Field) Clear(order elfobj.ByteOrder, b []byte) {
	if f.Mask == 0 {
		clear(b)
		return
	}
	v := f.Of(order, b) &^ f.Mask
	switch f.Size {
	case 2:
		order.PutUint16(b, uint16(v))
	case 4:
		order.PutUint32(b, uint32(v))
	case 8:
		order.PutUint64(b, v)
	}
}

// Insn is one instruction's shape.
type Insn struct {
	Len int
	// Call and Jump say that control goes to the place that a PC-relative field of this instruction names.
	Call, Jump bool
	// Const is the size in bytes of the number that ends the instruction, when it does nothing but load this number into a
	// register, memory or onto the stack; 0 otherwise.
	Const int
	// Nop says that the instruction does nothing, whatever its length.
	Nop bool
	// PC is what PC-relative fields count from, in bytes from the instruction's start.
	PC int
	// Rel is the instruction's own PC-relative field; its Reloc is 0 when there is none.
	Rel PCRel
}

// PCRel is a PC-relative field as it reads when no relocation fills it in: the assembler knew the distance.
type PCRel struct {
	At    int    // bytes from the instruction's start
	Size  int    // bytes
	Reloc uint32 // the kind of relocation that such a field takes
	Disp  int64  // where it leads, in bytes from the instruction's start
}

// Trace says how a function shows that ftrace can redirect it.
type Trace struct {
	// Call is the function that it calls first, and At are the offsets that the relocated field of this call may have.
	Call string
	At   []uint64
	// Tables are special sections with an entry for each such function.
	Tables []string
	// Pad is an instruction that may stand in front of the call, where the processor checks where jumps land.
	Pad []byte
	// Nop is how the build turns the call into an instruction that does nothing; nil where it does not.
	Nop *TraceNop
}

// TraceNop is a call for tracing that does nothing until ftrace makes a call of it.
type TraceNop struct {
	At   []uint64 // offsets that it may have in a function
	Code [][]byte // any of these
	// Reloc says that the relocation of the call is still there, as one of kind Kind, its field At + Field.
	Reloc bool
	Kind  uint32
	Field uint64
}

// Arch is one machine.
type Arch interface {
	// Machine is the machine's name, as uname -m says.
	Machine() string
	// Field gives the shape of a relocation's field; an error names a kind that is not known.
	Field(relocType uint32) (Field, error)
	// Insn gives the shape of the instruction at the start of code; ok is false for bytes that are none.
	Insn(code []byte) (insn Insn, ok bool)
	// Disassemble gives the text of the instruction at the start of code, for messages.
	Disassemble(code []byte, pc uint64) string
	// Table gives the shape of a special section of that name, where it is the machine's own; ok is false for any other.
	Table(section string) (t Table, ok bool)
	// Trace gives the marks of functions that ftrace can redirect.
	Trace() Trace
	// Mapping says whether a symbol only tells the assembler's output apart: from it on, there is data or code.
	Mapping(symbol string) Mapping
	// Matched says whether objects of this machine can be matched with a shipped kernel and linked into a module.
	Matched() bool
}

// Mapping is what a mapping symbol says.
type Mapping int

// The kinds of mapping symbols.
const (
	NotMapping Mapping = iota
	MapsCode
	MapsData
)

// For gives the machine of an object, or an error that names it.
func For(o *elfobj.Object) (Arch, error) {
	for _, m := range []struct {
		machine elf.Machine
		big     bool
		arch    Arch
	}{
		{elf.EM_X86_64, false, x86{}},
		{elf.EM_AARCH64, false, aarch64{}},
		{elf.EM_PPC64, false, ppc64le{}},
		{elf.EM_S390, true, s390x{}},
		{elf.EM_LOONGARCH, false, loongarch64{}},
	} {
		if m.machine == o.Machine {
			if m.big != o.BigEndian {
				return nil, fmt.Errorf("objects of %v in this byte order are not supported", o.Machine)
			}
			return m.arch, nil
		}
	}
	return nil, fmt.Errorf("objects of %v are not supported, only of %v, %v, %v, %v and %v", o.Machine, elf.EM_X86_64, elf.EM_AARCH64, elf.EM_PPC64, elf.EM_S390, elf.EM_LOONGARCH)
}
