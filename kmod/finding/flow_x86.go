package finding

import (
	"livesplice/kmod/arch"
	"livesplice/kmod/unit"
)

// kind says how an instruction passes control on.
type kind int

const (
	plain kind = iota + 1
	call
	jump         // always taken, to the place in its field
	branch       // taken or not
	indirectJump // to a place that is not in the instruction
	returns
	trap // UD2: BUG() or WARN()
)

// kindX86 tells the kind of one whole x86-64 instruction.
//
// Source: Intel SDM volume 2, appendix A.
func kindX86(code []byte) kind {
	op, modrm := arch.OpcodeX86(code)
	switch {
	case op == 0xe8:
		return call
	case op == 0xe9, op == 0xeb:
		return jump
	case op >= 0x70 && op <= 0x7f, op >= 0xe0 && op <= 0xe3, op >= 0x0f80 && op <= 0x0f8f:
		return branch
	case op == 0xc2, op == 0xc3, op == 0xca, op == 0xcb, op == 0xcf, op == 0xcc:
		return returns
	case op == 0xff && (modrm>>3&7 == 4 || modrm>>3&7 == 5):
		return indirectJump
	case op == 0x0f0b:
		return trap
	}
	return plain
}

// preemptX86 gives the name of the inlined function that an instruction is: preempt_disable() and preempt_enable()
// increment and decrement a per-CPU variable, which was pcpu_hot.preempt_count in 6.2 to 6.14.
//
// Source: arch/x86/include/asm/preempt.h, v6.1, v6.2 and v6.15.
func preemptX86(code []byte, ref *unit.Ref) string {
	const inPCPUHot = 8
	if ref.External == nil || ref.External.Name != "__preempt_count" && (ref.External.Name != "pcpu_hot" || ref.ToOffset != inPCPUHot) {
		return ""
	}
	switch op, modrm := arch.OpcodeX86(code); {
	case op == 0xff && modrm>>3&7 == 0:
		return "preempt_disable"
	case op == 0xff && modrm>>3&7 == 1:
		return "preempt_enable"
	}
	return ""
}
