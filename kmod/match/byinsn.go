package match

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"livesplice/kmod/arch"
	"livesplice/kmod/unit"
)

// Matching by instruction. A function compiled into a section of its own can differ from the one that was shipped
// without any difference in meaning: a jump to another function of the unit is short where both were in one section,
// and loops are aligned relative to another start. Equal then means: the same instructions in the same order, the same
// control flow, other padding.

// compareInsns holds a function against run at addr, instruction by instruction. On success a.size is what the
// function takes in run.
func (a *attempt) compareInsns(it *unit.Item, addr uint64) *difference {
	want := it.Bytes()
	// The shipped function can be longer by its padding and by long forms of jumps.
	have, ok := a.longest(addr, 2*it.Size()+64)
	if !ok {
		return &difference{reason: "the shipped binary has no bytes there"}
	}
	refs, err := a.m.pre.Refs(it)
	if err != nil {
		return &difference{reason: err.Error()}
	}
	a.walked, a.back = it, nil
	w := &walk{attempt: a, it: it, addr: addr, want: want, have: have, runAt: map[uint64]uint64{}}
	for w.i < uint64(len(want)) {
		if d := w.step(&refs); d != nil {
			d.offset, d.insn = w.i, true
			return d
		}
	}
	d := a.labels(it, addr, w.j, func(offset uint64) (uint64, bool) {
		run, ok := w.runAt[offset]
		return addr + run, ok
	})
	if d != nil {
		return d
	}
	if d := w.branches(); d != nil {
		return d
	}
	a.size, a.runAt = w.j, w.runAt
	return nil
}

// longest gives the bytes from addr to the end of its section, at most n.
func (a *attempt) longest(addr, n uint64) ([]byte, bool) {
	if b, ok := a.m.run.Bytes(addr, n); ok {
		return b, true
	}
	low, high := uint64(0), n // there are low bytes, and not high ones
	for high-low > 1 {
		if mid := (low + high) / 2; a.has(addr, mid) {
			low = mid
		} else {
			high = mid
		}
	}
	if low == 0 {
		return nil, false
	}
	return a.m.run.Bytes(addr, low)
}

func (a *attempt) has(addr, n uint64) bool {
	_, ok := a.m.run.Bytes(addr, n)
	return ok
}

// walk is two positions that move through a function in step.
type walk struct {
	*attempt
	it         *unit.Item
	addr       uint64
	want, have []byte
	i, j       uint64 // positions in pre and run
	runAt      map[uint64]uint64
	jumps      []jump
}

// jump is a branch within the function, by the offsets of its targets.
type jump struct{ at, pre, run uint64 }

// step compares one instruction of each side; refs loses the references that it used.
func (w *walk) step(refs *[]unit.Ref) *difference {
	p, ok := w.m.pre.Arch.Insn(w.want[w.i:])
	if !ok {
		return &difference{reason: "an instruction that is not known"}
	}
	site := w.site(*refs)
	if p.Nop && !site {
		if len(*refs) > 0 && (*refs)[0].Offset < w.i+uint64(p.Len) {
			return &difference{reason: "a reference in an instruction that does nothing"}
		}
		w.runAt[w.i] = w.j
		w.i += uint64(p.Len)
		return nil
	}
	r, ok := w.m.pre.Arch.Insn(w.have[w.j:])
	for ok && r.Nop && !site {
		w.j += uint64(r.Len)
		r, ok = w.m.pre.Arch.Insn(w.have[w.j:])
	}
	if !ok {
		return &difference{reason: "an instruction that is not known"}
	}
	w.runAt[w.i] = w.j
	var mine []unit.Ref
	for len(*refs) > 0 && (*refs)[0].Offset < w.i+uint64(p.Len) {
		mine, *refs = append(mine, (*refs)[0]), (*refs)[1:]
	}
	if d := w.insn(p, r, mine, site); d != nil {
		return d
	}
	w.i += uint64(p.Len)
	w.j += uint64(r.Len)
	return nil
}

// site says whether the instruction of pre is a jump label or the fentry call, which the kernel's build may turn into
// a nop.
func (w *walk) site(refs []unit.Ref) bool {
	for _, l := range w.m.jumpLabels[w.it] {
		if l.offset == w.i {
			return true
		}
	}
	return len(refs) > 0 && refs[0].External != nil && refs[0].External.Name == "__fentry__" && refs[0].Offset == w.i+1
}

func (w *walk) insn(p, r arch.Insn, refs []unit.Ref, site bool) *difference {
	a, b := w.want[w.i:w.i+uint64(p.Len)], w.have[w.j:w.j+uint64(r.Len)]
	if site && r.Nop && !p.Nop && (p.Jump || p.Call) {
		w.relaxed++
		return nil
	}
	if p.Jump && r.Jump || p.Call && r.Call && len(refs) == 0 { // a call of itself
		return w.jump(p, r, a, b, refs)
	}
	if len(a) != len(b) {
		return &difference{reason: "different code"}
	}
	at := uint64(0)
	for _, ref := range refs {
		off := ref.Offset - w.i
		if off < at || off+uint64(ref.Field.Size) > uint64(len(a)) {
			return &difference{reason: "a reference that goes beyond the instruction"}
		}
		if !bytes.Equal(a[at:off], b[at:off]) {
			return &difference{reason: "different code"}
		}
		at = off + uint64(ref.Field.Size)
		moved := ref
		moved.Offset = w.j + off
		if ref.Table != nil {
			// The code that the entry names moved as far as the instruction that names the entry, which is beside it.
			if d := w.entry(ref, w.addr+w.j-w.i, fieldTarget(moved, w.addr, w.have)); d != nil {
				return d
			}
			continue
		}
		if d := w.reference(moved, w.addr, w.have); d != nil {
			return d
		}
	}
	if !bytes.Equal(a[at:], b[at:]) {
		return &difference{reason: "different code"}
	}
	return nil
}

// jump compares two branches whose lengths may differ: the same condition, and targets that correspond.
func (w *walk) jump(p, r arch.Insn, a, b []byte, refs []unit.Ref) *difference {
	ca, fa := branch(a)
	cb, fb := branch(b)
	if ca != cb || fa == 0 || fb == 0 {
		return &difference{reason: "different code"}
	}
	target := w.addr + w.j + uint64(r.Len) + displacement(b, fb)
	if len(refs) == 1 {
		ref := refs[0]
		base := w.base(ref, target)
		switch {
		case ref.Table != nil:
			return &difference{reason: "refers to " + ref.Table.Name}
		case ref.To == nil:
			return w.infer(place{extern: ref.External.Name}, base, w.m.nameFits(ref.External.Name, base))
		case ref.To.Kind == unit.Function:
			return w.infer(place{item: ref.To}, base, w.m.itemFits(ref.To, base))
		}
		if d := w.compare(ref.To, base); d != nil {
			return &difference{reason: fmt.Sprintf("jumps to %#x, where not the same code is: %s", target, d.reason)}
		}
		return nil
	}
	w.jumps = append(w.jumps, jump{at: w.i, pre: w.i + uint64(p.Len) + displacement(a, fa), run: target - w.addr})
	return nil
}

// branch gives what a relative branch tests, the same for its short and long form, and the size of its displacement;
// 0 for an instruction that has but one form and is compared as it is.
func branch(b []byte) (condition byte, field int) {
	switch n := len(b); {
	case n == 2 && b[0] == 0xeb, n == 5 && b[0] == 0xe9:
		return 0xff, n - 1
	case n == 5 && b[0] == 0xe8:
		return b[0], 4
	case n == 2 && b[0]&0xf0 == 0x70:
		return b[0] & 0x0f, 1
	case n == 6 && b[0] == 0x0f && b[1]&0xf0 == 0x80:
		return b[1] & 0x0f, 4
	}
	return 0, 0
}

func displacement(b []byte, size int) uint64 {
	if size == 1 {
		return uint64(int64(int8(b[len(b)-1])))
	}
	return uint64(int64(int32(binary.LittleEndian.Uint32(b[len(b)-4:]))))
}

// branches checks that each branch within the function leads to the same instruction. A target that is padding stands
// for the instruction behind it.
func (w *walk) branches() *difference {
	for _, jp := range w.jumps {
		run, ok := w.runAt[w.behindNops(w.want, jp.pre)]
		if !ok || jp.run > uint64(len(w.have)) || w.behindNops(w.have, jp.run) != w.behindNops(w.have, run) {
			return &difference{offset: jp.at, reason: "a jump to another place", insn: true}
		}
	}
	for _, b := range w.back {
		run, ok := w.runAt[w.behindNops(w.want, b.offset)]
		if at := b.target - w.addr; !ok || at > uint64(len(w.have)) || w.behindNops(w.have, at) != w.behindNops(w.have, run) {
			return &difference{offset: b.offset, reason: fmt.Sprintf("%#x refers to it, which is another place in the shipped function", b.target), insn: true}
		}
	}
	return nil
}

func (w *walk) behindNops(code []byte, off uint64) uint64 {
	for off < uint64(len(code)) {
		i, ok := w.m.pre.Arch.Insn(code[off:])
		if !ok || !i.Nop {
			break
		}
		off += uint64(i.Len)
	}
	return off
}
