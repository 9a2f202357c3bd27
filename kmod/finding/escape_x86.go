package finding

import (
	"maps"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"livesplice/kmod/arch"
	"livesplice/kmod/unit"
)

// The general registers, by the numbers that instructions have for them.
const (
	rax = iota
	rcx
	rdx
	rbx
	rsp
	rbp
	rsi
	rdi
	r8
	r9
	r10
	r11
	registers = 16
)

// arguments are the registers of the first six arguments, scratch all that a function need not keep.
//
// Source: System V ABI, AMD64 supplement, 3.2.3.
var (
	arguments = [...]int{rdi, rsi, rdx, rcx, r8, r9}
	scratch   = [...]int{rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11}
)

const breakpoint = 0xcc // INT3, behind what does not go on

// returnThunk are the names of what a function jumps to in place of a return.
//
// Source: arch/x86/lib/retpoline.S, v6.1 and v6.12.
var returnThunk = map[string]bool{"__x86_return_thunk": true}

// indirectThunk says whether a function stands for a call or jump to the address in a register.
//
// Source: arch/x86/lib/retpoline.S, v5.10 to v6.12.
func indirectThunk(name string) bool { return strings.HasPrefix(name, "__x86_indirect_") }

// takesAccumulator says whether a function in assembly takes an argument in RAX.
//
// Source: arch/x86/lib/getuser.S and putuser.S, v5.10 to v6.12.
func takesAccumulator(name string) bool {
	return strings.HasPrefix(name, "__get_user_") || strings.HasPrefix(name, "__put_user_")
}

// Whether a register holds an address on the stack.
type stackness int

const (
	noStack   stackness = iota
	onStack             // at value.off
	somewhere           // on the stack, or not
)

// value is what a register may hold.
type value struct {
	held  held
	stack stackness
	off   int64 // counted from the stack pointer at the function's entry
}

// state is what registers and stack may hold before an instruction. The zero state holds nothing.
type state struct {
	regs     [registers]value
	slot     map[int64]held // by the offset of aligned eight bytes
	anywhere held           // on the stack
}

func (s *state) clone() state {
	c := *s
	c.slot = maps.Clone(s.slot)
	return c
}

// join adds what another state may hold; it says whether that was more.
func (s *state) join(o *state) (more bool) {
	for r := range s.regs {
		v := s.regs[r]
		v.held |= o.regs[r].held
		if w := o.regs[r]; v.stack != w.stack || v.stack == onStack && v.off != w.off {
			v.stack, v.off = somewhere, 0
		}
		more = more || v != s.regs[r]
		s.regs[r] = v
	}
	for off, h := range o.slot {
		more = more || h&^s.slot[off] != 0
		s.put(off, s.slot[off]|h)
	}
	more = more || o.anywhere&^s.anywhere != 0
	s.anywhere |= o.anywhere
	return more
}

func (s *state) put(off int64, h held) {
	if h == 0 {
		delete(s.slot, off)
		return
	}
	if s.slot == nil {
		s.slot = map[int64]held{}
	}
	s.slot[off] = h
}

// slots is what the stack may hold.
func (s *state) slots() held {
	h := s.anywhere
	for _, v := range s.slot {
		h |= v
	}
	return h
}

// all is what registers and stack may hold.
func (s *state) all() held {
	h := s.slots()
	for _, v := range s.regs {
		h |= v.held
	}
	return h
}

// clobber takes away what a call leaves in no register.
func (s *state) clobber(result held) {
	for _, r := range scratch {
		s.regs[r] = value{}
	}
	s.regs[rax].held = result
}

// moveStack moves the stack pointer, and forgets what is below it.
func (s *state) moveStack(by int64) {
	v := &s.regs[rsp]
	if v.stack != onStack {
		return
	}
	v.off += by
	maps.DeleteFunc(s.slot, func(off int64, _ held) bool { return off < v.off })
}

// operands are an instruction with what its relocated fields name.
type operands struct {
	x86asm.Inst
	imm held // of the number at its end
	mem held // of the address in its memory operand
}

// step lets an instruction act on a state.
func (w *walk) step(st *state, at step) {
	code := at.in.Bytes()[at.from:at.end]
	switch at.kind {
	case call:
		w.call(st, at)
		return
	case returns:
		if code[0] != breakpoint {
			w.returned(st, at)
		}
		return
	case jump, branch:
		if at.call == "" && !at.leaves {
			return
		}
		there := st.clone() // what a jump that is not taken leaves as it is
		w.jumpOut(&there, at)
		return
	case indirectJump:
		w.callOut(st, at, true)
		return
	case trap:
		return
	}
	inst, err := x86asm.Decode(code, 64)
	if err != nil || inst.Len != len(code) {
		if !untouching(code) {
			w.gone(st.all()|w.sources(at), at, "is there at an instruction that is not known")
		}
		return
	}
	in := operands{Inst: inst}
	for _, ref := range at.refs {
		h := w.source(ref)
		if atEnd := at.from+uint64(len(code)) == ref.Offset+uint64(ref.Field.Size); atEnd && numberX86(code) {
			in.imm |= h
		} else {
			in.mem |= h
		}
	}
	w.act(st, at, in)
}

// jumpOut follows a jump to another function, or to a piece of code without a name, which otherWays knows.
func (w *walk) jumpOut(st *state, at step) {
	if at.call == "" && len(at.refs) > 0 && at.refs[0].To != nil && at.refs[0].To.Kind != unit.Function {
		return
	}
	w.call(st, at)
}

func (s *search) sources(at step) (h held) {
	for _, ref := range at.refs {
		h |= s.source(ref)
	}
	return h
}

// untouching says whether an instruction that the decoder does not know touches no general register and no memory: ENDBR64,
// CLAC and STAC.
func untouching(code []byte) bool {
	for _, known := range [...]string{"\xf3\x0f\x1e\xfa", "\x0f\x01\xca", "\x0f\x01\xcb"} {
		if string(code) == known {
			return true
		}
	}
	return false
}

// numberX86 says whether an instruction ends with a number of four or eight bytes, where the last field is not part of an
// address.
//
// Source: Intel SDM volume 2, appendix A.
func numberX86(code []byte) bool {
	op, modrm := arch.OpcodeX86(code)
	return op == 0xc7 || op == 0x68 || op >= 0xb8 && op <= 0xbf || op == 0x81 || op == 0x69 || op == 0xa9 || op < 0x40 && op&7 == 5 ||
		op == 0xf7 && modrm>>3&7 < 2
}

// register gives the number of a general register and the bytes of it that a name means; ok is false for others.
func register(r x86asm.Reg) (n, size int, ok bool) {
	switch {
	case r >= x86asm.AL && r <= x86asm.BL:
		return int(r - x86asm.AL), 1, true
	case r >= x86asm.AH && r <= x86asm.BH:
		return int(r - x86asm.AH), 1, true
	case r >= x86asm.SPB && r <= x86asm.R15B:
		return int(r-x86asm.SPB) + rsp, 1, true
	case r >= x86asm.AX && r <= x86asm.R15W:
		return int(r - x86asm.AX), 2, true
	case r >= x86asm.EAX && r <= x86asm.R15L:
		return int(r - x86asm.EAX), 4, true
	case r >= x86asm.RAX && r <= x86asm.R15:
		return int(r - x86asm.RAX), 8, true
	}
	return 0, 0, false
}

// address gives what the address of a memory operand holds, and where on the stack it is.
func (st *state) address(in operands, m x86asm.Mem) value {
	v := value{held: in.mem}
	base, _, hasBase := register(m.Base)
	index, _, hasIndex := register(m.Index)
	if hasBase {
		v.held |= st.regs[base].held
		if v.stack, v.off = st.regs[base].stack, st.regs[base].off; v.stack == onStack {
			v.off += m.Disp
		}
	}
	if hasIndex {
		v.held |= st.regs[index].held
		if v.stack != noStack || st.regs[index].stack != noStack {
			v.stack, v.off = somewhere, 0
		}
	}
	if m.Segment != 0 {
		v.stack = noStack // per-CPU data
	}
	return v
}

// load is what memory may hold at an address.
func (w *walk) load(st *state, at value, size int) value {
	v := value{held: w.behind(at.held)}
	switch at.stack {
	case onStack:
		v.held |= st.anywhere
		for off := at.off &^ 7; off < at.off+int64(max(size, 1)); off += 8 {
			v.held |= st.slot[off]
		}
		v.stack = somewhere
	case somewhere:
		v.held |= st.slots()
		v.stack = somewhere
	}
	if v.stack == somewhere && size < 8 {
		v.stack = noStack
	}
	return v
}

// store puts a value into memory. What is not the stack may be read by anybody.
func (w *walk) store(st *state, at step, to value, size int, v value, add bool) {
	switch {
	case to.stack == onStack:
		for off := to.off &^ 7; off < to.off+int64(max(size, 1)); off += 8 {
			whole := !add && off >= to.off && off+8 <= to.off+int64(size)
			if h := v.held; !whole {
				st.put(off, st.slot[off]|h)
			} else {
				st.put(off, h)
			}
		}
	case to.stack == somewhere:
		st.anywhere |= v.held
		w.gone(v.held, at, "is stored")
	default:
		w.gone(v.held, at, "is stored")
	}
}

// get is the value of an operand.
func (w *walk) get(st *state, in operands, arg x86asm.Arg) value {
	switch a := arg.(type) {
	case x86asm.Reg:
		if n, _, ok := register(a); ok {
			return st.regs[n]
		}
	case x86asm.Mem:
		return w.load(st, st.address(in, a), in.MemBytes)
	case x86asm.Imm:
		return value{held: in.imm}
	}
	return value{}
}

// set gives an operand a value; add leaves there what was there.
func (w *walk) set(st *state, at step, in operands, arg x86asm.Arg, v value, add bool) {
	switch a := arg.(type) {
	case x86asm.Reg:
		n, size, ok := register(a)
		if !ok {
			w.gone(v.held, at, "is put into a register that is not followed")
			return
		}
		if size < 8 {
			v.stack, v.off = noStack, 0
		}
		if add || size < 4 {
			v.held |= st.regs[n].held
			if v.stack == noStack && st.regs[n].stack != noStack {
				v.stack, v.off = somewhere, 0
			}
		}
		st.regs[n] = v
	case x86asm.Mem:
		w.store(st, at, st.address(in, a), in.MemBytes, v, add)
	}
}

// act lets an instruction that does not branch act on a state.
func (w *walk) act(st *state, at step, in operands) {
	a, b := in.Args[0], in.Args[1]
	switch op := in.Op; {
	case op == x86asm.MOV, op == x86asm.MOVZX, op == x86asm.MOVSX, op == x86asm.MOVSXD, op == x86asm.MOVNTI, op == x86asm.MOVBE:
		w.set(st, at, in, a, w.get(st, in, b), false)
	case op == x86asm.LEA:
		m, _ := b.(x86asm.Mem)
		w.set(st, at, in, a, st.address(in, m), false)
	case op == x86asm.PUSH:
		v := w.get(st, in, a)
		st.moveStack(-8)
		w.store(st, at, st.regs[rsp], 8, v, false)
	case op == x86asm.POP:
		v := w.load(st, st.regs[rsp], 8)
		st.moveStack(8)
		w.set(st, at, in, a, v, false)
	case op == x86asm.LEAVE:
		st.regs[rsp] = st.regs[rbp]
		v := w.load(st, st.regs[rsp], 8)
		st.moveStack(8)
		st.regs[rbp] = v
	case op == x86asm.PUSHFQ:
		st.moveStack(-8)
		w.store(st, at, st.regs[rsp], 8, value{}, false)
	case op == x86asm.POPFQ:
		st.moveStack(8)
	case op == x86asm.XCHG:
		va, vb := w.get(st, in, a), w.get(st, in, b)
		w.set(st, at, in, a, vb, false)
		w.set(st, at, in, b, va, false)
	case op == x86asm.ADD, op == x86asm.SUB:
		w.sum(st, at, in)
	case op == x86asm.XOR && a == b:
		w.set(st, at, in, a, value{}, false)
	case conditional[op]:
		v := w.get(st, in, b)
		w.set(st, at, in, a, value{held: v.held, stack: either(v.stack)}, true)
	case mixes[op]:
		v := value{}
		for _, arg := range in.Args[1:] {
			if arg != nil {
				v.held |= w.get(st, in, arg).held
			}
		}
		w.set(st, at, in, a, v, true)
		w.blur(st, a)
	case only[op]:
	case op == x86asm.MUL, op == x86asm.DIV, op == x86asm.IDIV, op == x86asm.CQO, op == x86asm.CDQ, op == x86asm.CWD, op == x86asm.CDQE, op == x86asm.CWDE, op == x86asm.CBW:
		h := st.regs[rax].held | st.regs[rdx].held | w.get(st, in, a).held
		st.regs[rax], st.regs[rdx] = value{held: h}, value{held: h}
	case op == x86asm.CALL:
		w.callOut(st, at, false)
	case strings.HasPrefix(op.String(), "SET"):
		w.set(st, at, in, a, value{}, true)
	default:
		w.other(st, at, in)
	}
}

func either(s stackness) stackness {
	if s == noStack {
		return noStack
	}
	return somewhere
}

// sum adds or subtracts: an address on the stack moves by a known number.
func (w *walk) sum(st *state, at step, in operands) {
	a, b := in.Args[0], in.Args[1]
	if r, ok := a.(x86asm.Reg); ok && a == b && in.Op == x86asm.SUB {
		w.set(st, at, in, r, value{}, false)
		return
	}
	n, imm := b.(x86asm.Imm)
	r, isReg := a.(x86asm.Reg)
	if reg, size, ok := register(r); isReg && ok && imm && in.imm == 0 && size == 8 && st.regs[reg].stack == onStack {
		by := int64(n)
		if in.Op == x86asm.SUB {
			by = -by
		}
		if reg == rsp {
			st.moveStack(by)
		} else {
			st.regs[reg].off += by
		}
		return
	}
	v := w.get(st, in, b)
	w.set(st, at, in, a, value{held: v.held, stack: either(v.stack)}, true)
	if _, imm := b.(x86asm.Imm); !imm || in.imm != 0 {
		w.blur(st, a)
	}
}

// blur forgets where on the stack a register points.
func (w *walk) blur(st *state, arg x86asm.Arg) {
	if r, ok := arg.(x86asm.Reg); ok {
		if n, _, ok := register(r); ok && st.regs[n].stack == onStack {
			st.regs[n].stack, st.regs[n].off = somewhere, 0
		}
	}
}

// other is an instruction with a meaning of its own: copies of strings, and all that is not known here.
func (w *walk) other(st *state, at step, in operands) {
	switch in.Op {
	case x86asm.MOVSB, x86asm.MOVSW, x86asm.MOVSD, x86asm.MOVSQ: // what is copied may hold addresses, and the stack may be the source
		w.gone(w.behind(st.regs[rsi].held), at, "is copied")
		if st.regs[rsi].stack != noStack {
			w.gone(st.slots(), at, "is copied")
		}
		return
	case x86asm.STOSB, x86asm.STOSW, x86asm.STOSD, x86asm.STOSQ:
		w.gone(st.regs[rax].held, at, "is stored")
		return
	case x86asm.CMPSB, x86asm.CMPSW, x86asm.CMPSD, x86asm.CMPSQ, x86asm.SCASB, x86asm.SCASW, x86asm.SCASD, x86asm.SCASQ:
		return
	}
	h := in.imm | in.mem | st.regs[rax].held | st.regs[rdx].held
	if in.Op == x86asm.CMPXCHG8B || in.Op == x86asm.CMPXCHG16B {
		h |= st.regs[rbx].held | st.regs[rcx].held
	}
	for _, arg := range in.Args {
		if arg == nil {
			continue
		}
		h |= w.get(st, in, arg).held
		if m, ok := arg.(x86asm.Mem); ok {
			h |= st.address(in, m).held
		}
		w.blur(st, arg)
	}
	w.gone(h, at, "is used in an instruction that is not known: "+in.Op.String())
}

func ops(list ...x86asm.Op) map[x86asm.Op]bool {
	out := map[x86asm.Op]bool{}
	for _, op := range list {
		out[op] = true
	}
	return out
}

// conditional are the instructions that copy or leave what is there; mixes those whose result is made of both operands, or
// of the one that they have; only those that look, or touch nothing.
var (
	conditional = ops(x86asm.CMOVA, x86asm.CMOVAE, x86asm.CMOVB, x86asm.CMOVBE, x86asm.CMOVE, x86asm.CMOVG, x86asm.CMOVGE, x86asm.CMOVL, x86asm.CMOVLE,
		x86asm.CMOVNE, x86asm.CMOVNO, x86asm.CMOVNP, x86asm.CMOVNS, x86asm.CMOVO, x86asm.CMOVP, x86asm.CMOVS)
	mixes = ops(x86asm.AND, x86asm.OR, x86asm.XOR, x86asm.ADC, x86asm.SBB, x86asm.SHL, x86asm.SHR, x86asm.SAR, x86asm.ROL, x86asm.ROR, x86asm.RCL, x86asm.RCR,
		x86asm.SHLD, x86asm.SHRD, x86asm.IMUL, x86asm.INC, x86asm.DEC, x86asm.NEG, x86asm.NOT, x86asm.BSWAP, x86asm.BTS, x86asm.BTR, x86asm.BTC, x86asm.BSF, x86asm.BSR,
		x86asm.POPCNT, x86asm.TZCNT, x86asm.LZCNT)
	only = ops(x86asm.CMP, x86asm.TEST, x86asm.BT, x86asm.NOP, x86asm.PAUSE, x86asm.LFENCE, x86asm.MFENCE, x86asm.SFENCE, x86asm.CLI, x86asm.STI, x86asm.CLD, x86asm.STD,
		x86asm.CLC, x86asm.STC, x86asm.HLT, x86asm.PREFETCHT0, x86asm.PREFETCHT1, x86asm.PREFETCHT2, x86asm.PREFETCHNTA, x86asm.PREFETCHW, x86asm.CLFLUSH)
)
