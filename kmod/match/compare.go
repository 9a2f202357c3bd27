package match

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"livesplice/kmod/arch"
	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// place is what a reference names: an item of the unit or an external symbol.
type place struct {
	item   *unit.Item
	extern string
}

func (p place) String() string {
	if p.item != nil {
		return p.item.Name
	}
	return p.extern
}

// attempt is the comparison of one item of pre with the bytes at one address of run.
type attempt struct {
	m    *matcher
	addr uint64
	// values are the addresses of other places that the relocated fields in run imply.
	values map[place]uint64
	// literals are the addresses of those of pre's literals that it refers to.
	literals map[*unit.Item]uint64
	// relaxed counts self-patched sites that differ: jump labels and fentry calls which objtool made nops.
	relaxed int
	// size is what the item takes in run, in bytes; runAt maps its instructions' offsets to those in run when it was
	// matched by instruction.
	size  uint64
	runAt map[uint64]uint64
	seen  map[seenKey]bool
	// walked is the function that is being compared by instruction, and back are the references into the middle of it, from
	// its own code and from pieces that it jumps to: they are checked when all of its instructions have their places.
	walked *unit.Item
	back   []backRef
}

// backRef is a reference to a place in a function, by its offset in pre and its address in run.
type backRef struct{ offset, target uint64 }

type seenKey struct {
	item *unit.Item
	addr uint64
}

// difference is why an attempt does not hold.
type difference struct {
	offset uint64
	reason string
	insn   bool // the difference is in the bytes of an instruction
}

// compare holds an item against run at addr: bytes outside relocated and self-patched fields must be equal, and each
// relocated field must name a place that can be what pre names there.
func (a *attempt) compare(it *unit.Item, addr uint64) *difference {
	key := seenKey{it, addr}
	if a.seen[key] {
		return nil
	}
	a.seen[key] = true
	want := it.Bytes()
	if want == nil || it.Section.Name == ".BTF_ids" {
		return nil // .bss has no bytes to compare; BTF ids are filled in after the link, by resolve_btfids
	}
	have, ok := a.m.run.Bytes(addr, it.Size())
	if !ok {
		return &difference{reason: "the shipped binary has no bytes there"}
	}
	refs, err := a.m.pre.Refs(it)
	if err != nil {
		return &difference{reason: err.Error()}
	}
	patched := a.selfPatched(it, want, have, refs)
	at := uint64(0)
	for _, r := range refs {
		if d := a.equal(it, want, have, at, r.Offset, patched); d != nil {
			return d
		}
		at = max(at, r.Offset+uint64(r.Field.Size))
		if patched.covers(r.Offset) {
			continue
		}
		if r.Offset == 0 && unit.UbsanSite(it) {
			if d := a.ubsanFile(r, addr, have); d != nil {
				return d
			}
			continue
		}
		if d := a.reference(r, addr, have); d != nil {
			d.offset = r.Offset
			d.insn = it.Section.Exec()
			return d
		}
	}
	if d := a.equal(it, want, have, at, it.Size(), patched); d != nil {
		return d
	}
	return a.labels(it, addr, it.Size(), func(offset uint64) (uint64, bool) { return addr + offset, true })
}

// sites are byte ranges that the kernel's build or boot rewrites.
type sites []struct{ start, end uint64 }

func (s sites) covers(off uint64) bool {
	for _, r := range s {
		if off >= r.start && off < r.end {
			return true
		}
	}
	return false
}

// selfPatched finds the sites where run differs in the one way that objtool makes: at an entry of __jump_table, or at
// the call to __fentry__, a nop of the same length took the instruction's place.
//
// Source: tools/objtool/check.c, handle_jump_alt and annotate_call_site, v6.1.
func (a *attempt) selfPatched(it *unit.Item, want, have []byte, refs []unit.Ref) sites {
	var s sites
	try := func(off uint64) {
		p, ok := a.m.pre.Arch.Insn(want[off:])
		if !ok || bytes.Equal(want[off:off+uint64(p.Len)], have[off:off+uint64(p.Len)]) {
			return
		}
		if r, ok := a.m.pre.Arch.Insn(have[off:]); ok && r.Nop && r.Len == p.Len && (p.Jump || p.Call) {
			s = append(s, struct{ start, end uint64 }{off, off + uint64(p.Len)})
			a.relaxed++
		}
	}
	for _, l := range a.m.jumpLabels[it] {
		if l.offset < uint64(len(want)) {
			try(l.offset)
		}
	}
	if len(refs) > 0 && refs[0].External != nil && refs[0].External.Name == "__fentry__" && refs[0].Offset > 0 {
		try(refs[0].Offset - 1)
	}
	return s
}

func (a *attempt) equal(it *unit.Item, want, have []byte, from, to uint64, patched sites) *difference {
	if from >= to || bytes.Equal(want[from:to], have[from:to]) {
		return nil
	}
	for i := from; i < to; i++ {
		if want[i] != have[i] && !patched.covers(i) {
			return &difference{offset: i, reason: "different code", insn: it.Section.Exec()}
		}
	}
	return nil
}

// reference checks one relocated field of code or data that begins at addr and notes what it implies.
func (a *attempt) reference(r unit.Ref, addr uint64, have []byte) *difference {
	target := fieldTarget(r, addr, have)
	base := a.base(r, target)
	switch {
	case r.Table != nil:
		return a.entry(r, addr, target)
	case r.To == nil:
		return a.infer(place{extern: r.External.Name}, base, a.m.nameFits(r.External.Name, base))
	case r.To.Kind == unit.Literal, r.To.Kind == unit.Anonymous:
		if d := a.compare(r.To, base); d != nil {
			if want, have, ok := a.m.strings(r.To, base); ok {
				d.reason = fmt.Sprintf("the string %q, in source %q", have, want)
			}
			return &difference{reason: fmt.Sprintf("refers to %#x, where not the same data is: %s", target, d.reason)}
		}
		a.literal(r.To, base)
		return nil
	}
	if d := a.infer(place{item: r.To}, base, a.m.itemFits(r.To, base)); d != nil || !a.m.numbers(r.To) {
		return d
	}
	if d := a.compare(r.To, base); d != nil {
		return &difference{reason: fmt.Sprintf("refers to %s, which has other content: %s", r.To.Name, d.reason)}
	}
	return nil
}

// literal notes where a literal is.
func (a *attempt) literal(it *unit.Item, addr uint64) {
	if it.Kind != unit.Literal {
		return
	}
	if a.literals == nil {
		a.literals = map[*unit.Item]uint64{}
	}
	a.literals[it] = addr
}

// numbers says whether an item is a constant without references: a table, such as the compiler makes of a switch, or the
// name of a function. Its content is part of what the code that uses it does, and the update may bring a copy of it, of
// which nothing would show then that it is not what was shipped.
func (m *matcher) numbers(it *unit.Item) bool {
	if it.Kind != unit.Datum || it.Writable() || it.Weak() {
		return false
	}
	refs, err := m.pre.Refs(it)
	return err == nil && len(refs) == 0
}

// strings gives the text of a string literal in pre, and what is at an address of run up to its end or the first 256 bytes.
// It is false where one of them is no text. A string that __FILE__ became has the folder of the build in it.
func (m *matcher) strings(it *unit.Item, addr uint64) (want, have string, ok bool) {
	if it.Section.Flags&elf.SHF_STRINGS == 0 {
		return "", "", false
	}
	pre, _, _ := bytes.Cut(it.Bytes(), []byte{0})
	var run []byte
	for len(run) < 256 {
		c, ok := m.run.Bytes(addr+uint64(len(run)), 1)
		if !ok || c[0] == 0 {
			break
		}
		run = append(run, c[0])
	}
	return string(pre), string(run), len(run) > 0 && utf8.Valid(pre) && utf8.Valid(run)
}

// base is where the item that a reference names begins if the place named is at target. Functions that were compiled
// with other padding have their instructions at other offsets, and a part split off jumps into the middle of them.
func (a *attempt) base(r unit.Ref, target uint64) uint64 {
	if r.To != nil && r.To == a.walked && r.ToOffset > 0 {
		a.back = append(a.back, backRef{uint64(r.ToOffset), target})
		return a.addr
	}
	if r.To != nil && r.To.Kind == unit.Function && r.ToOffset > 0 {
		for _, c := range a.m.locate(r.To).candidates {
			if run, ok := c.runAt[uint64(r.ToOffset)]; ok && c.addr+run == target {
				return c.addr
			}
		}
	}
	return target - uint64(r.ToOffset)
}

// fieldTarget is the address that a relocated field of run names: symbol plus offset, without the bias of the
// instruction's end.
func fieldTarget(r unit.Ref, addr uint64, have []byte) uint64 {
	f := have[r.Offset : r.Offset+uint64(r.Field.Size)]
	var v uint64
	switch {
	case r.Field.Size == 1:
		v = uint64(int64(int8(f[0])))
	case r.Field.Size == 8:
		v = binary.LittleEndian.Uint64(f)
	case r.Field.Signed || r.Field.PCRel:
		v = uint64(int64(int32(binary.LittleEndian.Uint32(f))))
	default:
		v = uint64(binary.LittleEndian.Uint32(f))
	}
	if r.Field.PCRel {
		v += addr + r.Offset + uint64(r.Bias)
	}
	return v
}

func (a *attempt) infer(p place, base uint64, fits bool) *difference {
	if !fits {
		return &difference{reason: fmt.Sprintf("refers to %#x, which is not %s", base, p)}
	}
	if known, ok := a.values[p]; ok && known != base {
		return &difference{reason: fmt.Sprintf("refers to %s at %#x and at %#x", p, known, base)}
	}
	a.values[p] = base
	return nil
}

// nameFits says whether an external name can be at an address: the symbol table has it there, or does not know the
// name at all (symbols that a linker script made may be missing).
func (m *matcher) nameFits(name string, addr uint64) bool {
	all := m.run.Lookup(name)
	for _, s := range all {
		if s.Addr == addr {
			return true
		}
	}
	return len(all) == 0
}

// itemFits says whether an item of the unit can be at an address: a symbol of its name is there, the compiler's number
// apart. A fresh copy that macros make may lack a symbol of its own.
func (m *matcher) itemFits(it *unit.Item, addr uint64) bool {
	_, ok := m.symbolOf(it, addr)
	return ok || diff.Fresh(it) && len(m.run.At(addr)) == 0
}

// symbolOf gives the symbol of run at addr that an item of pre is, exact names first.
func (m *matcher) symbolOf(it *unit.Item, addr uint64) (vmlinux.Symbol, bool) {
	at := m.run.At(addr)
	for _, y := range it.Syms {
		for _, s := range at {
			if s.Name == y.Name {
				return s, true
			}
		}
	}
	for _, s := range at {
		if unit.BaseName(s.Name) == unit.BaseName(it.Name) {
			return s, true
		}
	}
	return vmlinux.Symbol{}, false
}

// disassemble shows the instruction that holds an offset of code.
func disassemble(a arch.Arch, code []byte, off, pc uint64) (text string, start uint64) {
	for start < uint64(len(code)) {
		i, ok := a.Insn(code[start:])
		if !ok || start+uint64(i.Len) > off {
			break
		}
		start += uint64(i.Len)
	}
	return a.Disassemble(code[start:], pc+start), start
}
