package diff

import (
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// operands are those of an instruction: the first is written to by most.
type operands struct {
	reg     [2]int // its first and second operand's register; -1 for none
	wide    [2]bool
	mem     [2]bool
	places  registers // registers that memory operands count from
	segment bool      // one of them counts from a segment
	strange bool      // there is more than that
}

// operandsOf reads the operands of an instruction as far as effect knows them.
func operandsOf(in x86asm.Inst) (o operands) {
	o.reg = [2]int{-1, -1}
	for i, arg := range in.Args {
		switch a := arg.(type) {
		case x86asm.Reg:
			n, wide := generalRegister(a)
			if n < 0 || i > 1 {
				o.strange = true
				continue
			}
			o.reg[i], o.wide[i] = n, wide
		case x86asm.Mem:
			if i > 1 {
				o.strange = true
				continue
			}
			o.mem[i], o.segment = true, a.Segment != 0
			for _, r := range []x86asm.Reg{a.Base, a.Index} {
				if n, wide := generalRegister(r); n >= 0 {
					if o.places |= 1 << n; !wide {
						o.strange = true
					}
				}
			}
		}
	}
	return o
}

// generalRegister gives the number of a general register, and whether it is one of 32 or 64 bits; -1 for any other.
func generalRegister(r x86asm.Reg) (n int, wide bool) {
	switch {
	case r >= x86asm.RAX && r <= x86asm.R15:
		return int(r - x86asm.RAX), true
	case r >= x86asm.EAX && r <= x86asm.R15L:
		return int(r - x86asm.EAX), true
	case r >= x86asm.AX && r <= x86asm.R15W:
		return int(r - x86asm.AX), false
	case r >= x86asm.SPB && r <= x86asm.R15B:
		return int(r-x86asm.SPB) + 4, false
	case r >= x86asm.AL && r <= x86asm.BL:
		return int(r - x86asm.AL), false
	case r >= x86asm.AH && r <= x86asm.BH:
		return int(r - x86asm.AH), false
	}
	return -1, false
}

// arithmetic are instructions without registers that they do not name, which make a number of their operands.
var arithmetic = []x86asm.Op{x86asm.AND, x86asm.OR, x86asm.XOR, x86asm.SHL, x86asm.SHR, x86asm.SAR, x86asm.ROL, x86asm.ROR, x86asm.NEG, x86asm.NOT, x86asm.ADC,
	x86asm.SBB, x86asm.TEST, x86asm.BT, x86asm.BSF, x86asm.BSR, x86asm.POPCNT, x86asm.BSWAP, x86asm.SETE, x86asm.SETNE, x86asm.SETA, x86asm.SETAE, x86asm.SETB,
	x86asm.SETBE, x86asm.SETG, x86asm.SETGE, x86asm.SETL, x86asm.SETLE, x86asm.SETS, x86asm.SETNS}

// stringMoves copy from where RSI points to where RDI does.
var stringMoves = []x86asm.Op{x86asm.MOVSB, x86asm.MOVSW, x86asm.MOVSD, x86asm.MOVSQ}

var conditionalMoves = []x86asm.Op{x86asm.CMOVE, x86asm.CMOVNE, x86asm.CMOVA, x86asm.CMOVAE, x86asm.CMOVB, x86asm.CMOVBE, x86asm.CMOVG, x86asm.CMOVGE,
	x86asm.CMOVL, x86asm.CMOVLE, x86asm.CMOVS, x86asm.CMOVNS}

// effect gives which registers have the address after an instruction, before which h had it; of says that the instruction itself
// names it, as a number or by LEA. ok is false where it may get elsewhere, and for an instruction that is not known.
func (o operands) effect(in x86asm.Inst, of bool, h holding) (out holding, ok bool) {
	dst, src := o.reg[0], o.reg[1]
	first, second := h.may.has(dst), h.may.has(src)
	switch {
	case slices.Contains(stringMoves, in.Op):
		return h, h.may&(1<<regCX|1<<regDI) == 0 // RSI goes to the end of what was read
	case o.strange, o.segment && h.may&o.places != 0, o.mem[0] && second, o.mem[0] && h.may&o.places != 0 && in.Op != x86asm.CMP && in.Op != x86asm.TEST && in.Op != x86asm.PUSH:
		return h, false
	case first && !o.wide[0], second && !o.wide[1]:
		return h, false // a part of the address
	}
	switch in.Op {
	case x86asm.RET, x86asm.UD2:
		return h, !of
	case x86asm.CALL:
		return h, !of && !first && h.may&(callerSaved|o.places) == 0
	case x86asm.MOV, x86asm.LEA:
		return o.load(in.Op == x86asm.LEA, of, h)
	case x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD:
		return h.clear(max(dst, 0)), dst >= 0 && !of && !second
	case x86asm.ADD:
		return o.add(of, h)
	case x86asm.SUB:
		switch { // the distance of two places in the table
		case of:
			return h.clear(max(dst, 0)), h.must.has(dst)
		case second:
			return h.clear(max(dst, 0)), h.must.has(dst) && h.must.has(src)
		}
		return h, !o.mem[1] || !first
	case x86asm.INC, x86asm.DEC:
		return h, !of
	case x86asm.CMP:
		return h, o.compared(of, h)
	case x86asm.PUSH:
		return h, !of && !first
	case x86asm.POP:
		return h.clear(max(dst, 0)), dst >= 0 && !of
	case x86asm.IMUL:
		return h, !of && !first && !second && (dst >= 0 && (src >= 0 || o.mem[1])) // with one operand it writes to RAX and RDX
	}
	switch {
	case of:
		return h, false
	case in.Op == x86asm.TEST && dst >= 0 && dst == src:
		return h, true // against NULL
	case in.Op == x86asm.XOR && dst >= 0 && dst == src:
		return h.clear(dst), true
	case slices.Contains(conditionalMoves, in.Op) && dst >= 0:
		if second {
			h.may |= 1 << dst
		}
		if !second || !h.must.has(src) {
			h.must &^= 1 << dst
		}
		return h, true
	case slices.Contains(arithmetic, in.Op):
		return h, !first && !second
	}
	return h, false
}

// load is the effect of MOV and LEA.
func (o operands) load(lea, of bool, h holding) (holding, bool) {
	dst, src := o.reg[0], o.reg[1]
	switch {
	case dst < 0: // to memory; that it is no register with the address was seen to
		return h, !of
	case !o.wide[0]:
		return h, !of
	case of:
		return h.set(dst), true
	case lea && h.may&o.places != 0:
		out := h.clear(dst)
		out.may |= 1 << dst
		if h.must&o.places != 0 {
			out.must |= 1 << dst
		}
		return out, true
	case src >= 0 && h.may.has(src):
		out := h.clear(dst)
		out.may |= 1 << dst
		if h.must.has(src) {
			out.must |= 1 << dst
		}
		return out, true
	}
	return h.clear(dst), true
}

// add is the effect of ADD: a place in the table and an index make a place in the table.
func (o operands) add(of bool, h holding) (holding, bool) {
	dst, src := o.reg[0], o.reg[1]
	switch {
	case dst < 0:
		return h, !of
	case of:
		return h.set(dst), o.wide[0]
	case h.may.has(src):
		h.may |= 1 << dst
		if h.must.has(src) {
			h.must |= 1 << dst
		}
		return h, o.wide[0]
	}
	return h, true
}

// compared says whether a comparison is one of two places in the table, or of neither: an address of something else, compared with one
// of them, would tell the old table from the copy.
func (o operands) compared(of bool, h holding) bool {
	dst, src := o.reg[0], o.reg[1]
	if of {
		return dst >= 0 && h.must.has(dst)
	}
	if h.may.has(dst) || h.may.has(src) {
		return dst >= 0 && src >= 0 && h.must.has(dst) && h.must.has(src)
	}
	return true
}
