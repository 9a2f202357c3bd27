package diff

import (
	"slices"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"livesplice/kmod/arch"
	"livesplice/kmod/unit"
)

// Code that walks a table has the address of the table in a register, and nobody else has it as long as it stays there: it is not
// stored, not passed on, not returned, and not compared with anything but another address in the same table. That is followed
// here for one function of x86-64, instruction by instruction; what is not known to be harmless hands the address out.

// readers are functions of the kernel that read what a pointer leads to before they return, and keep no pointer to it, but
// for __nla_parse, which leaves the place of a policy that was violated for the answer to the same request.
//
// Source: lib/string.c, lib/vsprintf.c, kernel/printk/printk.c, fs/seq_file.c, fs/libfs.c, lib/usercopy.c, mm/util.c, lib/nlattr.c,
// drivers/base/core.c, drivers/firmware/dmi_scan.c (for entries without a callback), v6.1.
var readers = map[string]bool{
	"memcpy": true, "__memcpy": true, "memcmp": true, "bcmp": true, "strcmp": true, "strncmp": true, "strcasecmp": true, "strncasecmp": true, "strlen": true,
	"strnlen": true, "strscpy": true, "strlcpy": true, "strlcat": true, "kmemdup": true, "kstrdup": true, "kstrndup": true, "_printk": true, "printk": true,
	"snprintf": true, "scnprintf": true, "sprintf": true, "sysfs_emit": true, "seq_printf": true, "seq_puts": true, "seq_write": true, "simple_read_from_buffer": true,
	"_copy_to_user": true, "__nla_parse": true, "__nla_validate": true, "_dev_err": true, "_dev_warn": true, "_dev_info": true, "_dev_notice": true,
	"dmi_check_system": true,
}

// registers is a set of the sixteen general registers, by the numbers of the machine.
type registers uint16

func (r registers) has(n int) bool { return n >= 0 && r&(1<<n) != 0 }

// Numbers of registers, and what calls pass and may overwrite.
const (
	regAX, regCX, regDX, regDI = 0, 1, 2, 7

	callerSaved registers = 1<<0 | 1<<1 | 1<<2 | 1<<6 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11
	returned    registers = 1<<regAX | 1<<regDX
)

// holding are the registers that can have an address in the table, and those that have one for certain.
type holding struct{ may, must registers }

func (h holding) set(n int) holding   { return holding{h.may | 1<<n, h.must | 1<<n} }
func (h holding) clear(n int) holding { return holding{h.may &^ (1 << n), h.must &^ (1 << n)} }

// tableWalk follows the address of one constant through one item of code.
type tableWalk struct {
	unit  *unit.Unit
	item  *unit.Item
	of    *unit.Item
	refs  map[uint64]unit.Ref // by offset of the instruction; the field that is not read in place, if there are two
	edges map[uint64][]uint64 // of jump labels and exceptions, by offset
	alts  map[uint64]bool     // offsets of instructions that an alternative may replace
	code  []byte
	state map[uint64]holding
	work  []uint64
}

// staysInRegisters says whether an item of code that computes the address of a constant keeps it to itself.
func (r *Result) staysInRegisters(u *unit.Unit, it, of *unit.Item) bool {
	w := &tableWalk{unit: u, item: it, of: of, refs: map[uint64]unit.Ref{}, edges: map[uint64][]uint64{}, alts: map[uint64]bool{}, code: it.Bytes(), state: map[uint64]holding{}}
	if it.Kind != unit.Function || !w.readRefs() || !w.readTables(r.cmp.special[u][it]) {
		return false
	}
	w.reach(0, holding{})
	if !w.enter(u) {
		return false
	}
	for len(w.work) > 0 {
		at := w.work[len(w.work)-1]
		w.work = w.work[:len(w.work)-1]
		if !w.step(at) {
			return false
		}
	}
	return w.allReached()
}

// enter begins at the places in the item that others lead to: cold parts that come back, tables of a switch. None of them brings
// the address, or it would not stay where it is.
func (w *tableWalk) enter(u *unit.Unit) bool {
	for _, other := range u.Items {
		if other == w.item {
			continue
		}
		refs, err := u.Refs(other)
		if err != nil {
			return false
		}
		for _, ref := range refs {
			if ref.To == w.item && ref.ToOffset > 0 {
				w.reach(uint64(ref.ToOffset), holding{})
			}
		}
	}
	return true
}

// allReached says whether every instruction was followed. How others are reached is not known.
func (w *tableWalk) allReached() bool {
	const int3 = 0xcc
	for at := 0; at < len(w.code); {
		insn, ok := w.unit.Arch.Insn(w.code[at:])
		if _, seen := w.state[uint64(at)]; !ok || !seen && !insn.Nop && w.code[at] != int3 {
			return false
		}
		at += insn.Len
	}
	return true
}

// readRefs finds the references by instruction; false for code in which two of one instruction are of interest.
func (w *tableWalk) readRefs() bool {
	refs, err := w.unit.Refs(w.item)
	if err != nil {
		return false
	}
	for at := 0; at < len(w.code); {
		insn, ok := w.unit.Arch.Insn(w.code[at:])
		if !ok {
			return false
		}
		for len(refs) > 0 && refs[0].Offset < uint64(at+insn.Len) {
			if _, two := w.refs[uint64(at)]; two && (refs[0].To == w.of || w.refs[uint64(at)].To == w.of) {
				return false
			}
			w.refs[uint64(at)] = refs[0]
			refs = refs[1:]
		}
		at += insn.Len
	}
	return true
}

// readTables finds what the entries of special sections add to the control flow.
func (w *tableWalk) readTables(entries []unit.Entry) bool {
	for _, e := range entries {
		from := e.Refs[0].ToOffset
		for _, ref := range slices.Concat(e.Refs, e.Replacement.Refs) {
			if ref.To == w.of {
				return false
			}
		}
		if e.Alt != nil {
			for n := range int64(max(e.Alt.Patched(e.Data()), 1)) {
				w.alts[uint64(from+n)] = true
			}
			for _, ref := range e.Replacement.Refs {
				if ref.To == w.item {
					w.edges[uint64(from)] = append(w.edges[uint64(from)], uint64(ref.ToOffset))
				}
			}
			continue
		}
		for _, ref := range e.Refs[1:] {
			if ref.To == w.item {
				w.edges[uint64(from)] = append(w.edges[uint64(from)], uint64(ref.ToOffset))
			}
		}
	}
	return true
}

// reach notes that an instruction can be reached with h.
func (w *tableWalk) reach(at uint64, h holding) {
	known, seen := w.state[at]
	if seen {
		h = holding{h.may | known.may, h.must & known.must}
		if h == known {
			return
		}
	}
	w.state[at] = h
	w.work = append(w.work, at)
}

// step follows one instruction; false where the address may get elsewhere.
func (w *tableWalk) step(at uint64) bool {
	if at >= uint64(len(w.code)) {
		return true // behind a call that does not return
	}
	h := w.state[at]
	insn, ok := w.unit.Arch.Insn(w.code[at:])
	if !ok {
		return false
	}
	next := at + uint64(insn.Len)
	ref, has := w.refs[at]
	has = has && ref.Offset < next
	for _, to := range w.edges[at] {
		w.reach(to, h)
	}
	switch {
	case insn.Call:
		if !w.call(ref, has && !w.alts[at], h) {
			return false
		}
		w.reach(next, holding{h.may &^ callerSaved, h.must &^ callerSaved})
		return true
	case insn.Jump:
		return w.jump(at, insn, ref, has, h)
	case insn.Nop:
		w.reach(next, h)
		return h.may == 0 || !w.alts[at]
	}
	computes := has && ref.To == w.of && !arch.MemoryReadX86(w.code[at:next], ref.Offset-at)
	switch {
	case h.may == 0 && !computes:
		return w.plain(at, next)
	case w.alts[at]:
		return false
	}
	return w.follow(at, next, computes, h)
}

// jump follows a jump or branch, within the item or out of it.
func (w *tableWalk) jump(at uint64, insn arch.Insn, ref unit.Ref, has bool, h holding) bool {
	const rel32, rel8 = 0xe9, 0xeb // JMP, always taken unless an alternative takes it away
	if op := w.code[at]; op != rel32 && op != rel8 || w.alts[at] {
		w.reach(at+uint64(insn.Len), h)
	}
	if has {
		return w.leave(ref, h)
	}
	to := int64(at) + insn.Rel.Disp
	if to < 0 || to > int64(len(w.code)) {
		return h.may == 0
	}
	w.reach(uint64(to), h)
	return true
}

// plain passes over an instruction while no register has the address.
func (w *tableWalk) plain(at, next uint64) bool {
	op, modrm := arch.OpcodeX86(w.code[at:next])
	switch {
	case op == 0xc2, op == 0xc3, op == 0xca, op == 0xcb, op == 0xcf:
	case op == 0xff && (modrm>>3&7 == 4 || modrm>>3&7 == 5): // where to is not known: what follows is not reached by it with the address
	default:
		w.reach(next, holding{})
	}
	return true
}

// call says whether a call, or a jump to another function, keeps the address out of what it may pass.
func (w *tableWalk) call(ref unit.Ref, has bool, h holding) bool {
	if h.may&callerSaved == 0 {
		return true
	}
	return has && ref.External != nil && readers[ref.External.Name] && h.may&(1<<regAX) == 0
}

// leave says whether a jump out of the item keeps the address out of what follows.
func (w *tableWalk) leave(ref unit.Ref, h holding) bool {
	switch {
	case h.may == 0:
		return true
	case ref.External == nil:
		return false // a cold part, another function of the unit
	case strings.HasPrefix(ref.External.Name, "__x86_indirect"):
		return false
	case ref.External.Name == "__x86_return_thunk":
		return h.may&returned == 0
	}
	return !strings.HasPrefix(ref.External.Name, "__x86_") && w.call(ref, true, h)
}

// follow follows an instruction that computes the address, or is reached with it in a register.
func (w *tableWalk) follow(at, next uint64, computes bool, h holding) bool {
	in, err := x86asm.Decode(w.code[at:next], 64)
	if err != nil || in.Len != int(next-at) {
		return false
	}
	out, ok := operandsOf(in).effect(in, computes, h)
	if !ok {
		return false
	}
	if in.Op == x86asm.RET {
		return h.may&returned == 0
	}
	w.reach(next, out)
	return true
}
