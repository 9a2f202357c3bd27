package arch

import (
	"debug/elf"
	"encoding/binary"
)

// The length decoder of x86-64. Run-pre matching needs to know where each instruction ends, for every instruction that
// a kernel holds; printing them is left to x/arch.
//
// Source: Intel SDM volume 2, appendix A (opcode maps) and chapter 2 (instruction format).

// x86Decoded is where the parts of an instruction are, as offsets from its start.
type x86Decoded struct {
	len    int
	op     byte // last opcode byte
	opMap  int  // 1: one byte, 2: 0F, 3: 0F 38, 4: 0F 3A; VEX and EVEX count as the map that they name
	imm    int  // size of the immediate, in bytes
	modrm  int  // offset of ModRM, 0 when there is none
	prefix bool // F3 stood before the opcode
	opsize bool // 66 stood before the opcode
}

// Shapes of what follows an opcode.
const (
	hasModRM = 1 << iota
	imm8
	imm16
	immZ // 4 bytes, 2 with an operand-size prefix
	immV // immZ, 8 with REX.W (MOV reg, imm)
	moffs
	invalid
	group3 // F6 and F7: an immediate only for /0 and /1
)

// oneByte is the one-byte opcode map, prefixes excepted.
var oneByte = func() (t [256]int) {
	for row := 0; row < 0x40; row += 8 {
		for i := 0; i < 4; i++ {
			t[row+i] = hasModRM
		}
		t[row+4], t[row+5] = imm8, immZ
		t[row+6], t[row+7] = invalid, invalid
	}
	set := func(shape int, ops ...int) {
		for _, op := range ops {
			t[op] = shape
		}
	}
	span := func(shape, from, to int) {
		for op := from; op <= to; op++ {
			t[op] = shape
		}
	}
	span(0, 0x50, 0x5f)
	span(invalid, 0x60, 0x62)
	set(hasModRM, 0x63)
	set(immZ, 0x68)
	set(hasModRM|immZ, 0x69)
	set(imm8, 0x6a)
	set(hasModRM|imm8, 0x6b)
	span(0, 0x6c, 0x6f)
	span(imm8, 0x70, 0x7f)
	set(hasModRM|imm8, 0x80, 0x83)
	set(hasModRM|immZ, 0x81)
	set(invalid, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea, 0xc4, 0xc5)
	span(hasModRM, 0x84, 0x8f)
	span(moffs, 0xa0, 0xa3)
	set(imm8, 0xa8)
	set(immZ, 0xa9)
	span(imm8, 0xb0, 0xb7)
	span(immV, 0xb8, 0xbf)
	set(hasModRM|imm8, 0xc0, 0xc1, 0xc6)
	set(imm16, 0xc2, 0xca)
	set(hasModRM|immZ, 0xc7)
	set(imm16|imm8, 0xc8)
	set(imm8, 0xcd)
	span(hasModRM, 0xd0, 0xd3)
	span(hasModRM, 0xd8, 0xdf)
	span(imm8, 0xe0, 0xe7)
	set(immZ, 0xe8, 0xe9)
	set(imm8, 0xeb)
	set(hasModRM|group3, 0xf6, 0xf7)
	set(hasModRM, 0xfe, 0xff)
	return t
}()

// twoByte is the 0F map: nearly every opcode has a ModRM byte; the exceptions are listed.
var twoByte = func() (t [256]int) {
	for op := range t {
		t[op] = hasModRM
	}
	for _, op := range []int{0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x0e, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x37, 0x77, 0xa0, 0xa1, 0xa2, 0xa8, 0xa9, 0xaa} {
		t[op] = 0
	}
	for _, op := range []int{0x04, 0x0a, 0x0c, 0x24, 0x25, 0x26, 0x27, 0x36, 0x39, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f} {
		t[op] = invalid
	}
	for op := 0x80; op <= 0x8f; op++ {
		t[op] = immZ
	}
	for op := 0xc8; op <= 0xcf; op++ {
		t[op] = 0
	}
	for _, op := range []int{0x70, 0x71, 0x72, 0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6, 0x0f} {
		t[op] = hasModRM | imm8
	}
	return t
}()

func decodeX86(code []byte) (x86Decoded, bool) {
	var d x86Decoded
	rexW, i := false, 0
	for ; ; i++ {
		if i >= len(code) || i >= 15 {
			return d, false
		}
		switch b := code[i]; {
		case b == 0x66:
			d.opsize, rexW = true, false
			continue
		case b == 0xf3:
			d.prefix, rexW = true, false
			continue
		case b == 0xf2 || b == 0xf0 || b == 0x67 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65:
			rexW = false
			continue
		case b&0xf0 == 0x40:
			rexW = b&8 != 0
			continue
		}
		break
	}
	shape, at, ok := d.opcode(code, i)
	if !ok || shape&invalid != 0 {
		return d, false
	}
	if shape&hasModRM != 0 {
		if at >= len(code) {
			return d, false
		}
		d.modrm = at
		n, ok := modrmLen(code[at:])
		if !ok {
			return d, false
		}
		if reg := code[at] >> 3 & 7; shape&group3 != 0 && reg < 2 {
			shape |= map[byte]int{0xf6: imm8, 0xf7: immZ}[d.op]
		}
		at += n
	}
	d.imm = d.immLen(shape, rexW)
	d.len = at + d.imm
	return d, d.len <= len(code) && d.len <= 15
}

// opcode reads the opcode at code[i:] and gives the shape of what follows it and where that begins.
func (d *x86Decoded) opcode(code []byte, i int) (shape, at int, ok bool) {
	need := func(n int) bool { return i+n < len(code) }
	switch b := code[i]; b {
	case 0x0f:
		if !need(1) {
			return 0, 0, false
		}
		switch code[i+1] {
		case 0x38:
			if !need(2) {
				return 0, 0, false
			}
			d.op, d.opMap = code[i+2], 3
			return hasModRM, i + 3, true
		case 0x3a:
			if !need(2) {
				return 0, 0, false
			}
			d.op, d.opMap = code[i+2], 4
			return hasModRM | imm8, i + 3, true
		}
		d.op, d.opMap = code[i+1], 2
		return twoByte[d.op], i + 2, true
	case 0xc5: // two-byte VEX: map 0F
		if !need(2) {
			return 0, 0, false
		}
		d.op, d.opMap = code[i+2], 2
		return twoByte[d.op], i + 3, true
	case 0xc4: // three-byte VEX
		if !need(3) {
			return 0, 0, false
		}
		return d.vexMap(int(code[i+1]&0x1f), code[i+3], i+4)
	case 0x62: // EVEX
		if !need(5) {
			return 0, 0, false
		}
		return d.vexMap(int(code[i+1]&7), code[i+4], i+5)
	default:
		d.op, d.opMap = b, 1
		return oneByte[b], i + 1, true
	}
}

func (d *x86Decoded) vexMap(m int, op byte, at int) (shape, next int, ok bool) {
	d.op, d.opMap = op, m+1
	switch m {
	case 1:
		return twoByte[op], at, true
	case 2, 5, 6:
		return hasModRM, at, true
	case 3:
		return hasModRM | imm8, at, true
	}
	return 0, 0, false
}

// modrmLen is the length of ModRM, SIB and displacement.
func modrmLen(b []byte) (int, bool) {
	mod, rm := b[0]>>6, b[0]&7
	n := 1
	if mod == 3 {
		return n, true
	}
	if rm == 4 {
		if len(b) < 2 {
			return 0, false
		}
		n++
		if mod == 0 && b[1]&7 == 5 {
			return n + 4, true
		}
	}
	switch {
	case mod == 1:
		n++
	case mod == 2, mod == 0 && rm == 5:
		n += 4
	}
	return n, true
}

func (d *x86Decoded) immLen(shape int, rexW bool) (n int) {
	z := 4
	if d.opsize && !rexW && !(d.opMap == 2 && d.op&0xf0 == 0x80) && !(d.opMap == 1 && (d.op == 0xe8 || d.op == 0xe9)) {
		z = 2
	}
	if shape&imm8 != 0 {
		n++
	}
	if shape&imm16 != 0 {
		n += 2
	}
	if shape&immZ != 0 {
		n += z
	}
	if shape&immV != 0 {
		if rexW {
			z = 8
		}
		n += z
	}
	if shape&moffs != 0 {
		n += 8
	}
	return n
}

func (d *x86Decoded) insn(code []byte) Insn {
	i := Insn{Len: d.len, PC: d.len}
	switch d.opMap {
	case 1:
		i.Call = d.op == 0xe8
		short := d.op == 0xeb || d.op&0xf0 == 0x70 || d.op >= 0xe0 && d.op <= 0xe3
		i.Jump = d.op == 0xe9 || short
		switch {
		case short:
			i.Rel = PCRel{At: d.len - 1, Size: 1, Reloc: uint32(elf.R_X86_64_PC8), Disp: int64(d.len) + int64(int8(code[d.len-1]))}
		case i.Jump || i.Call:
			i.Rel = x86Rel32(code, d.len-4, d.len)
		}
		i.Nop = d.op == 0x90 && !d.prefix
		switch {
		case d.op == 0x6a: // PUSH imm8
			i.Const = 1
		case d.op == 0x68, d.op&0xf8 == 0xb8, d.op == 0xc7 && code[d.modrm]>>3&7 == 0: // PUSH, MOV to a register, MOV
			i.Const = d.imm
		}
	case 2:
		if i.Jump = d.op&0xf0 == 0x80; i.Jump {
			i.Rel = x86Rel32(code, d.len-4, d.len)
		}
		i.Nop = d.op == 0x1f && d.modrm != 0 && code[d.modrm]>>3&7 == 0
	}
	if d.modrm != 0 && code[d.modrm]&0xc7 == 5 && !i.Nop { // RIP-relative: mod 0, rm 5
		i.Rel = x86Rel32(code, d.modrm+1, d.len)
	}
	return i
}

// x86Rel32 reads a field of four bytes that counts from the instruction's end.
func x86Rel32(code []byte, at, end int) PCRel {
	return PCRel{At: at, Size: 4, Reloc: uint32(elf.R_X86_64_PC32), Disp: int64(end) + int64(int32(binary.LittleEndian.Uint32(code[at:])))}
}
