package unit

import (
	"debug/elf"
	"slices"
	"sort"

	"livesplice/kmod/arch"
	"livesplice/kmod/elfobj"
)

// span is a range of a section.
type span struct{ start, end uint64 }

// findAlternates finds the replacement code of alternatives that lies in the section of the code that it replaces. It
// belongs to the entries, and is no item.
func (u *Unit) findAlternates() {
	for _, s := range u.Obj.Sections {
		t, ok := u.Arch.Table(s.Name)
		if !ok || t.Alt == nil || !t.Alt.Inline || s.Type == elf.SHT_NOBITS || s.Type == elf.SHT_RELA {
			continue
		}
		size := t.Sizes[0]
		for at := uint64(0); at+size <= s.Size(); at += size {
			relocs := s.RelocsIn(at, at+size)
			n := t.Alt.Len(s.Data[at : at+size])
			if n == 0 || len(relocs) <= t.Alt.Start {
				continue
			}
			r := relocs[t.Alt.Start]
			if r.Sym == nil || r.Sym.Section == nil || !r.Sym.Section.Exec() {
				continue
			}
			if start := r.Sym.Value + uint64(r.Addend); start < r.Sym.Section.Size() && n <= r.Sym.Section.Size()-start {
				u.alternates[r.Sym.Section] = append(u.alternates[r.Sym.Section], span{start, start + n})
			}
		}
	}
	for _, spans := range u.alternates {
		slices.SortFunc(spans, func(a, b span) int { return int(int64(a.start) - int64(b.start)) })
	}
}

// inAlternate says whether a place is in replacement code that lies among ordinary code.
func (u *Unit) inAlternate(s *elfobj.Section, at int64) bool {
	spans := u.alternates[s]
	i := sort.Search(len(spans), func(i int) bool { return int64(spans[i].start) > at })
	return i > 0 && at < int64(spans[i-1].end)
}

// mark is a mapping symbol: from at on, a section holds data, or code.
type mark struct {
	at   uint64
	data bool
}

// insn gives the shape of the instruction at an offset of a section. Where mapping symbols say that there is data among
// code, a stretch of it counts as one instruction that does nothing that is of interest.
func (u *Unit) insn(s *elfobj.Section, at, end uint64) (arch.Insn, bool) {
	marks := u.marks[s]
	i := sort.Search(len(marks), func(i int) bool { return marks[i].at > at })
	if i > 0 && marks[i-1].data {
		if i < len(marks) {
			end = min(end, marks[i].at)
		}
		return arch.Insn{Len: int(end - at)}, true
	}
	return u.Arch.Insn(s.Data[at:end])
}

// InsnLen is the length in bytes of the instruction at an offset of a function.
func (u *Unit) InsnLen(it *Item, off uint64) (uint64, bool) {
	insn, ok := u.insn(it.Section, it.Start+off, it.End)
	return uint64(insn.Len), ok && insn.Len > 0
}
