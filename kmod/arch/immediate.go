package arch

import "encoding/binary"

// Immediate is an instruction that does nothing but load a number into a register.
type Immediate struct {
	Value uint64
	Reg   int    // as the machine numbers them
	Op    uint64 // the instruction without its number
}

// ImmediateOf reads such an instruction at the start of code; ok is false for any other, and for one of several that together
// load a large number.
//
// Source: the manuals of the machines; operands as gcc and clang write small constants.
func ImmediateOf(a Arch, code []byte) (i Immediate, ok bool) {
	if len(code) < 4 {
		return Immediate{}, false
	}
	w := binary.LittleEndian.Uint32(code)
	field := func(shift, bits uint, reg uint32) (Immediate, bool) {
		mask := uint32(1)<<bits - 1
		return Immediate{Value: uint64(w >> shift & mask), Reg: int(reg), Op: uint64(w &^ (mask << shift))}, true
	}
	switch a.(type) {
	case x86:
		return immediateX86(code)
	case aarch64:
		if w&0x7fe00000 == 0x52800000 { // MOVZ
			return field(5, 16, w&31)
		}
	case ppc64le:
		if w>>26 == 14 && w>>16&31 == 0 && w&0x8000 == 0 { // ADDI of 0: LI
			return field(0, 16, w>>21&31)
		}
	case s390x:
		// LHI and LGHI, of which the sign bit is 0.
		if b := binary.BigEndian.Uint32(code); b>>24 == 0xa7 && b>>17&7 == 4 && b&0x8000 == 0 {
			return Immediate{Value: uint64(b & 0xffff), Reg: int(b >> 20 & 15), Op: uint64(b &^ 0xffff)}, true
		}
	case loongarch64:
		if op := w >> 22; (op == 0x0a || op == 0x0b || op == 0x0e) && w>>5&31 == 0 && (op == 0x0e || w&0x200000 == 0) { // ADDI.W, ADDI.D, ORI of r0
			return field(10, 12, w&31)
		}
	}
	return Immediate{}, false
}

// immediateX86 knows MOV of 32 bits.
func immediateX86(code []byte) (Immediate, bool) {
	reg, op := 0, uint64(0)
	if code[0] == 0x41 { // REX.B
		reg, op, code = 8, 1, code[1:]
	}
	if len(code) < 5 || code[0]&^7 != 0xb8 {
		return Immediate{}, false
	}
	reg += int(code[0] & 7)
	return Immediate{Value: uint64(binary.LittleEndian.Uint32(code[1:])), Reg: reg, Op: op<<8 | uint64(code[0])}, true
}

// ArgumentRegister is the register of the n-th integer argument of a function, from 0; -1 where it is on the stack.
func ArgumentRegister(a Arch, n int) int {
	regs := map[string][]int{
		"x86_64": {7, 6, 2, 1, 8, 9}, "aarch64": {0, 1, 2, 3, 4, 5, 6, 7}, "ppc64le": {3, 4, 5, 6, 7, 8, 9, 10},
		"s390x": {2, 3, 4, 5, 6}, "loongarch64": {4, 5, 6, 7, 8, 9, 10, 11},
	}[a.Machine()]
	if n < 0 || n >= len(regs) {
		return -1
	}
	return regs[n]
}
