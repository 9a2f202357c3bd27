package match

import (
	"fmt"

	"livesplice/kmod/unit"
)

// label is a jump label of pre: an entry of __jump_table and the offset of its instruction in the item that has it.
type label struct {
	offset uint64
	entry  unit.Entry
}

// jumpLabels are the jump labels of each function.
func jumpLabels(tables unit.Tables) map[*unit.Item][]label {
	out := map[*unit.Item][]label{}
	for it, entries := range tables {
		for _, e := range entries {
			if off := e.Refs[0].ToOffset; e.Section.Name == "__jump_table" && off >= 0 {
				out[it] = append(out[it], label{uint64(off), e})
			}
		}
	}
	return out
}

// labels compares the jump labels of an item with those of run: where the instruction is, run's table has an entry too, with
// the same target, key and flags. The code alone does not show them, since the kernel's build has put a nop there. at gives the
// address in run of the instruction at an offset of pre, size is what the item takes in run.
func (a *attempt) labels(it *unit.Item, addr, size uint64, at func(offset uint64) (uint64, bool)) *difference {
	table := a.m.run.JumpTable()
	if table == nil || !it.Section.Exec() {
		return nil
	}
	if have, want := len(table.In(addr, size)), len(a.m.jumpLabels[it]); it.Kind == unit.Function && have > want {
		return &difference{offset: it.Size() - 1, reason: fmt.Sprintf("%d jump labels, of which the shipped binary has %d", want, have)}
	}
	for _, l := range a.m.jumpLabels[it] {
		if l.offset >= it.Size() {
			continue
		}
		code, ok := at(l.offset)
		if !ok {
			return &difference{offset: l.offset, reason: "a jump label inside of an instruction", insn: true}
		}
		addr, ok := table.Entry(code)
		if !ok {
			return &difference{offset: l.offset, reason: "a jump label, of which the shipped binary has none there", insn: true}
		}
		have, ok := a.m.run.Bytes(addr, l.entry.End-l.entry.Start)
		if !ok {
			return &difference{offset: l.offset, reason: "a jump label of another size", insn: true}
		}
		for _, r := range l.entry.Refs[1:] {
			if d := a.reference(r, addr, have); d != nil {
				return &difference{offset: l.offset, reason: fmt.Sprintf("the jump label there %s", d.reason), insn: true}
			}
		}
	}
	return nil
}
