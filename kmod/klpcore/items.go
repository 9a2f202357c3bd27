package klpcore

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// item is a function, a datum, or what lies between two that have symbols.
type item struct {
	section    int
	start, end uint64
	name       string
	muted      bool             // an array of livepatch's own, whose pointers mean what readPatch made of them
	to         []*item          // what it refers to
	seen       map[string]*item // by context: from where it was reached, nil for a root
}

func (it *item) String() string { return it.name }

// readItems cuts the loaded sections into items: at symbols of functions and data, and between those at the places that
// something refers to.
func (m *model) readItems() {
	m.items = make([][]*item, len(m.sections))
	cuts := make([][]uint64, len(m.sections))
	for _, f := range m.fields {
		if at := m.target(f); at.section != 0 {
			cuts[at.section] = append(cuts[at.section], at.off)
		}
	}
	byName := make([][]symbol, len(m.sections))
	for _, y := range m.symbols {
		if i := y.in(); i != 0 && (y.typ == sttFunc || y.typ == sttObject) && y.size > 0 {
			byName[i] = append(byName[i], y)
		} else if i != 0 && y.typ != sttSection {
			cuts[i] = append(cuts[i], y.value)
		}
	}
	for i := range m.sections {
		if s := &m.sections[i]; s.alloc() && s.typ != shtRela && i > 0 {
			m.items[i] = cut(s, byName[i], cuts[i])
		}
	}
}

func cut(s *section, symbols []symbol, cuts []uint64) (out []*item) {
	sort.SliceStable(symbols, func(i, j int) bool { return symbols[i].value < symbols[j].value })
	slices.Sort(cuts)
	add := func(start, end uint64, name string) {
		if end > start {
			out = append(out, &item{section: s.index, start: start, end: end, name: name})
		}
	}
	between := func(start, end uint64) {
		i, _ := slices.BinarySearch(cuts, start+1)
		for _, c := range cuts[i:] {
			if c >= end {
				break
			}
			if c > start {
				add(start, c, fmt.Sprintf("%s+%#x", s.name, start))
				start = c
			}
		}
		add(start, end, fmt.Sprintf("%s+%#x", s.name, start))
	}
	at := uint64(0)
	for _, y := range symbols {
		end := min(y.value+y.size, s.size)
		if y.value+y.size < y.value || y.value >= s.size || end <= at {
			continue // another name of the same, or outside
		}
		if y.value < at { // they overlap: one item
			out[len(out)-1].end = end
		} else {
			between(at, y.value)
			add(y.value, end, y.name)
		}
		at = end
	}
	between(at, s.size)
	return out
}

// itemAt is the item at a place; that in front of it for the end of a section; nil for none.
func (m *model) itemAt(at place) *item {
	if at.section <= 0 || at.section >= len(m.items) {
		return nil
	}
	list := m.items[at.section]
	i := sort.Search(len(list), func(i int) bool { return list[i].end > at.off })
	if i == len(list) {
		if i == 0 || at.off > list[i-1].end {
			return nil
		}
		i--
	}
	return list[i]
}

// mute makes the item at a place one of livepatch's own.
func (m *model) mute(at place) { m.muted = append(m.muted, at) }

// target is the place that a field leads to in the module; section 0 for one outside. A section's symbol says only where
// counting begins: then the addend of a relative field in code is short by what lies between the field and the end of its
// instruction.
func (m *model) target(f field) place {
	if f.in == nil || f.object != "" {
		return place{}
	}
	y := m.symbols[f.sym]
	i := y.in()
	if i == 0 || !m.sections[i].alloc() {
		return place{}
	}
	off := y.value
	if y.typ == sttSection {
		off += uint64(f.addend)
		if f.pcrel && f.in.exec() {
			n, ok := m.ends[place{f.in.index, f.off}]
			if !ok {
				n = behind(f.in.data, f.off, f.size)
			}
			off += n
		}
	}
	if off > m.sections[i].size {
		off = min(y.value, m.sections[i].size)
	}
	return place{i, off}
}

// readEnds finds for each relative field of the module's functions how far the end of its instruction is.
func (m *model) readEnds() {
	m.ends = map[place]uint64{}
	functions := slices.DeleteFunc(slices.Clone(m.symbols), func(y symbol) bool { return y.typ != sttFunc || !m.sections[y.in()].exec() })
	slices.SortStableFunc(functions, func(a, b symbol) int { return cmp.Or(cmp.Compare(a.in(), b.in()), cmp.Compare(a.value, b.value)) })
	done := place{}
	for _, y := range functions {
		s := &m.sections[y.in()]
		if done.section != s.index {
			done = place{section: s.index}
		}
		at, end := max(y.value, done.off), y.value+min(y.size, s.size)
		if end = min(end, uint64(len(s.data))); end < at {
			continue
		}
		decode(s.data, at, end, func(at uint64, insn x86asm.Inst) {
			if insn.PCRel == 4 {
				m.ends[place{s.index, at + uint64(insn.PCRelOff)}] = uint64(insn.Len - insn.PCRelOff)
			}
		})
		done.off = end
	}
}

// endbr64 is what the decoder takes for something else.
var endbr64 = []byte{0xf3, 0x0f, 0x1e, 0xfa}

// decode calls each with the instructions of a range of code. What the decoder does not know is neither a call nor a jump.
func decode(code []byte, at, end uint64, each func(at uint64, insn x86asm.Inst)) {
	for at < end {
		if bytes.HasPrefix(code[at:end], endbr64) {
			at += uint64(len(endbr64))
			continue
		}
		insn, err := x86asm.Decode(code[at:end], 64)
		if err != nil || insn.Len == 0 {
			at++
			continue
		}
		each(at, insn)
		at += uint64(insn.Len)
	}
}

// behind is how far the end of an instruction is from a relative field in it: the field itself and an immediate operand. It looks
// at the bytes in front alone.
//
// Source: Intel SDM volume 2, table 2-2 (ModRM 00 with r/m 101 is relative) and appendix A (operands).
func behind(code []byte, off, size uint64) uint64 {
	if off < 3 || off > uint64(len(code)) || code[off-1]&0xc7 != 0x05 {
		return size // a call, a jump
	}
	op, reg, word := code[off-2], code[off-1]>>3&7, off >= 4 && (code[off-3] == 0x66 || code[off-4] == 0x66)
	if code[off-3] == 0x0f {
		switch op {
		case 0x70, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6:
			return size + 1
		}
		return size
	}
	switch {
	case op == 0x80, op == 0x83, op == 0xc0, op == 0xc1, op == 0xc6, op == 0x6b, op == 0xf6 && reg < 2:
		return size + 1
	case op == 0x81, op == 0xc7, op == 0x69, op == 0xf7 && reg < 2:
		if word {
			return size + 2
		}
		return size + 4
	}
	return size
}

// plain says whether a section holds code and data that only other code refers to. What is in others the kernel may walk by
// itself.
func plain(s *section) bool {
	if s.exec() {
		return true
	}
	for _, prefix := range []string{".data", ".bss", ".rodata"} {
		if strings.HasPrefix(s.name, prefix) {
			return true
		}
	}
	return false
}
