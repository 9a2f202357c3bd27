package arch

// MemoryReadX86 says whether an instruction of x86-64 reads what is at a place and does nothing else with it: the field at
// the given offset must be the displacement of a memory operand that the instruction loads from. LEA, which computes the
// place, an immediate, and an instruction that writes to the place are none; nor is one that is not known to be one.
//
// Source: Intel SDM volume 2, appendix A.
func MemoryReadX86(code []byte, field uint64) bool {
	d, ok := decodeX86(code)
	if !ok || d.modrm == 0 {
		return false
	}
	at, ok := displacementX86(code, d.modrm)
	return ok && field == uint64(at) && d.loads(code[d.modrm]>>3&7)
}

// displacementX86 gives the offset of the displacement of four bytes that a memory operand has; ok is false for one that has none.
func displacementX86(code []byte, modrm int) (at int, ok bool) {
	mod, rm := code[modrm]>>6, code[modrm]&7
	at = modrm + 1
	if mod != 3 && rm == 4 { // a SIB byte
		rm = code[at] & 7 // of its base
		at++
	}
	return at, mod == 2 || mod == 0 && rm == 5
}

// loads says whether an instruction with a memory operand only reads it; reg is the middle field of ModRM, which is part of
// some opcodes.
func (d *x86Decoded) loads(reg byte) bool {
	switch d.opMap {
	case 1:
		return d.loadsOneByte(reg)
	case 2:
		return d.loadsTwoByte(reg)
	}
	return false
}

func (d *x86Decoded) loadsOneByte(reg byte) bool {
	const alu = 0x40 // below it: ADD, OR, ADC, SBB, AND, SUB, XOR, CMP in rows of eight
	switch op := d.op; {
	case op < alu:
		return op&7 == 2 || op&7 == 3 || op == 0x38 || op == 0x39 // into a register; CMP
	case op == 0x80, op == 0x81, op == 0x83:
		return reg == 7 // CMP
	case op == 0xf6, op == 0xf7:
		return reg != 2 && reg != 3 // not NOT and NEG
	case op == 0xff:
		return reg == 2 || reg == 4 || reg == 6 // CALL, JMP, PUSH
	case op == 0x63, op == 0x69, op == 0x6b, op == 0x84, op == 0x85, op == 0x8a, op == 0x8b:
		return true // MOVSXD, IMUL, TEST, MOV
	}
	return false
}

func (d *x86Decoded) loadsTwoByte(reg byte) bool {
	switch op := d.op; {
	case op&0xf0 == 0x40: // CMOVcc
		return true
	case op == 0xba:
		return reg == 4 // BT
	case op == 0xb8:
		return d.prefix // POPCNT
	case op == 0x10, op == 0x28, op == 0x6f: // MOVUPS, MOVAPS, MOVDQA and what goes with their prefixes
		return true
	case op == 0xa3, op == 0xaf, op == 0xb6, op == 0xb7, op == 0xbc, op == 0xbd, op == 0xbe, op == 0xbf:
		return true // BT, IMUL, MOVZX, BSF, BSR, MOVSX
	}
	return false
}
