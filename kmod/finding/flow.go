package finding

import (
	"cmp"
	"debug/elf"

	"livesplice/kmod/unit"
)

// flow is the control flow of a function and the parts split off it, instruction by instruction. The first is the entry.
type flow struct {
	steps []step
	hot   int // how many of them are the function's own, in front of those of the parts
}

// step is one instruction.
type step struct {
	// next are the steps that may follow. Those behind a fault's fixup (__ex_table) are not among them.
	next []int
	// call is the function that it calls, or jumps to for good; "" for other instructions and calls through a pointer.
	call string
	// to is that function where it is one of the unit.
	to *unit.Item
	// leaves says that the function ends here: a return, or a jump to another function.
	leaves bool
	// in is the item that has the instruction, from and end are where it is there, and refs are the references in it.
	in        *unit.Item
	from, end uint64
	kind      kind
	refs      []unit.Ref
}

// newFlow follows a function; nil if its machine or one of its instructions is not known.
func newFlow(u *unit.Unit, root *unit.Item, tables unit.Tables) *flow {
	if u.Obj.Machine != elf.EM_X86_64 {
		return nil
	}
	b := &flowBuilder{unit: u, first: map[*unit.Item]int{}, at: map[*unit.Item]map[uint64]int{}, f: &flow{}}
	parts := append([]*unit.Item{root}, root.Children...)
	for _, it := range parts {
		if !b.decode(it) {
			return nil
		}
		if it == root {
			b.f.hot = len(b.f.steps)
		}
	}
	for _, it := range parts {
		if !b.connect(it, tables[it]) {
			return nil
		}
	}
	return b.f
}

type flowBuilder struct {
	unit  *unit.Unit
	f     *flow
	first map[*unit.Item]int            // index of an item's first step
	at    map[*unit.Item]map[uint64]int // index of the step at an offset
	insns []located
}

// located is an instruction and where it is.
type located struct {
	from, to uint64 // in its item
	kind     kind
	rel      int // bytes of the field that a branch ends with
}

func (b *flowBuilder) decode(it *unit.Item) bool {
	code := it.Bytes()
	b.first[it], b.at[it] = len(b.f.steps), map[uint64]int{}
	for at := uint64(0); at < uint64(len(code)); {
		insn, ok := b.unit.Arch.Insn(code[at:])
		if !ok {
			return false
		}
		next := at + uint64(insn.Len)
		b.at[it][at] = len(b.f.steps)
		in := located{from: at, to: next, kind: kindX86(code[at:next])}
		b.f.steps = append(b.f.steps, step{in: it, from: at, end: next, kind: in.kind})
		if insn.Call || insn.Jump {
			in.rel = insn.Rel.Size
		}
		b.insns = append(b.insns, in)
		at = next
	}
	return true
}

// connect finds what follows each instruction of an item.
func (b *flowBuilder) connect(it *unit.Item, entries []unit.Entry) bool {
	refs, err := b.unit.Refs(it)
	if err != nil {
		return false
	}
	bugs := fatalTraps(entries)
	code := it.Bytes()
	for i := b.first[it]; i < b.first[it]+len(b.at[it]); i++ {
		s, in := &b.f.steps[i], b.insns[i]
		for len(refs) > 0 && refs[0].Offset < in.from {
			refs = refs[1:]
		}
		var ref *unit.Ref
		for s.refs = refs; len(refs) > 0 && refs[0].Offset < in.to; refs = refs[1:] {
			ref = cmp.Or(ref, &refs[0])
		}
		s.refs = s.refs[:len(s.refs)-len(refs)]
		switch in.kind {
		case returns, indirectJump:
			s.leaves = true
		case call:
			b.fall(s, it, in.to)
			if ref != nil && ref.Direct {
				s.call, s.to = callee(ref)
			}
		case jump, branch:
			if in.kind == branch {
				b.fall(s, it, in.to)
			}
			b.jumpTo(s, it, in, code, ref)
		case trap:
			if !bugs[in.from] {
				b.fall(s, it, in.to)
			}
		default:
			if ref != nil {
				s.call = preemptX86(code[in.from:in.to], ref)
			}
			b.fall(s, it, in.to)
		}
	}
	b.jumpLabels(it, entries)
	return true
}

// fall makes the instruction at an offset follow a step. Behind the end nothing follows: a call that does not return.
func (b *flowBuilder) fall(s *step, it *unit.Item, off uint64) {
	if i, ok := b.at[it][off]; ok {
		s.next = append(s.next, i)
	}
}

func (b *flowBuilder) jumpTo(s *step, it *unit.Item, in located, code []byte, ref *unit.Ref) {
	if ref == nil {
		target := int64(in.to)
		if in.rel > 0 {
			target += displacement(code[in.to-uint64(in.rel) : in.to])
		}
		if target >= 0 {
			b.fall(s, it, uint64(target))
		}
		return
	}
	if at, ours := b.at[ref.To]; ours {
		if i, ok := at[uint64(ref.ToOffset)]; ok {
			s.next = append(s.next, i)
		}
		return
	}
	s.call, s.to = callee(ref)
	s.leaves = true
}

// jumpLabels adds the second way of each static branch: at run time its site is a jump or a nop.
func (b *flowBuilder) jumpLabels(it *unit.Item, entries []unit.Entry) {
	for _, e := range entries {
		if e.Section.Name != "__jump_table" || len(e.Refs) < 2 {
			continue
		}
		site, target := e.Refs[0], e.Refs[1]
		i, ok := b.at[it][uint64(site.ToOffset)]
		if !ok || site.To != it {
			continue
		}
		s := &b.f.steps[i]
		b.fall(s, it, b.insns[i].to)
		if at, ours := b.at[target.To]; ours {
			if j, ok := at[uint64(target.ToOffset)]; ok {
				s.next = append(s.next, j)
			}
		}
	}
}

// fatalTraps are the places of BUG(), which does not go on, among the traps of an item.
//
// Source: include/asm-generic/bug.h, BUGFLAG_WARNING, v5.10 to v7.0; the flags are the last two bytes of an entry.
func fatalTraps(entries []unit.Entry) map[uint64]bool {
	const warning = 1
	fatal := map[uint64]bool{}
	for _, e := range entries {
		if data := e.Data(); e.Section.Name == "__bug_table" && len(data) >= 2 && data[len(data)-2]&warning == 0 {
			fatal[uint64(e.Refs[0].ToOffset)] = true
		}
	}
	return fatal
}

// callee gives the name of the place that a direct call or jump names, and the function where it is one of the unit.
func callee(ref *unit.Ref) (string, *unit.Item) {
	if ref.External != nil {
		return ref.External.Name, nil
	}
	if ref.To != nil && ref.To.Kind == unit.Function {
		return ref.To.Name, ref.To
	}
	return "", nil
}

// displacement reads a signed little-endian number.
func displacement(b []byte) int64 {
	v := int64(int8(b[len(b)-1]))
	for i := len(b) - 2; i >= 0; i-- {
		v = v<<8 | int64(b[i])
	}
	return v
}

// inLoop says whether a step can come again after itself.
func (f *flow) inLoop(i int) bool {
	seen := make([]bool, len(f.steps))
	work := append([]int(nil), f.steps[i].next...)
	for len(work) > 0 {
		j := work[len(work)-1]
		work = work[:len(work)-1]
		if j == i {
			return true
		}
		if !seen[j] {
			seen[j] = true
			work = append(work, f.steps[j].next...)
		}
	}
	return false
}
