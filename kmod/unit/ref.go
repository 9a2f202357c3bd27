package unit

import (
	"debug/elf"
	"fmt"
	"sort"

	"livesplice/kmod/elfobj"
)

// Refs gives the references that an item holds, in ascending order of offset. The result is shared: do not change it.
func (u *Unit) Refs(it *Item) ([]Ref, error) {
	if it.refsRead {
		return it.refs, nil
	}
	refs, err := u.RefsIn(it.Section, it.Start, it.End)
	if err == nil && it.Section.Exec() && len(u.bySection[it.Section]) > 1 {
		refs, err = u.withNeighbours(it.Section, it.Start, it.End, it, refs)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", it.Kind, it.Name, err)
	}
	it.refs, it.refsRead = refs, true
	return refs, nil
}

// SameReloc says whether two kinds of relocation mean the same in a kernel. On x86-64, which it is depends on whether the
// assembler knew the callee to be of this file: a kernel has no PLT.
func (u *Unit) SameReloc(a, b uint32) bool {
	near := func(t uint32) bool { return t == uint32(elf.R_X86_64_PC32) || t == uint32(elf.R_X86_64_PLT32) }
	return a == b || u.Obj.Machine == elf.EM_X86_64 && near(a) && near(b)
}

// Forget lets Refs read the references of an item anew, after its section was changed.
func (u *Unit) Forget(it *Item) { it.refs, it.refsRead = nil, false }

// ForgetRefs gives up what Refs has read, which takes three times as much memory as the relocations. Refs reads it again.
func (u *Unit) ForgetRefs() {
	for _, it := range u.Items {
		u.Forget(it)
	}
}

// RefsIn gives the references in [start, end) of any section, special sections included; offsets count from start,
// which must be the start of an instruction when the section holds code.
func (u *Unit) RefsIn(s *elfobj.Section, start, end uint64) ([]Ref, error) {
	return u.refsIn(s, start, end, false)
}

// refsIn is RefsIn; fromStart says that PC-relative fields count from start, not from their own place.
func (u *Unit) refsIn(s *elfobj.Section, start, end uint64, fromStart bool) ([]Ref, error) {
	relocs := s.RelocsIn(start, end)
	if len(relocs) == 0 {
		return nil, nil
	}
	if s.Type == elf.SHT_NOBITS {
		return nil, fmt.Errorf("section %q: relocations in a section without content", s.Name)
	}
	refs := make([]Ref, 0, len(relocs))
	at := start // start of the instruction that is looked at
	for _, r := range relocs {
		f, err := u.Arch.Field(r.Type)
		if err != nil {
			return nil, fmt.Errorf("offset %#x: %w", r.Offset-start, err)
		}
		if f.Size == 0 {
			continue
		}
		if r.Offset+uint64(f.Size) > end {
			return nil, fmt.Errorf("offset %#x: relocated field of %d bytes crosses the end", r.Offset-start, f.Size)
		}
		ref := Ref{Offset: r.Offset - start, Type: r.Type, Field: f}
		if fromStart && f.PCRel {
			ref.Bias = int64(start) - int64(r.Offset)
		}
		if s.Exec() {
			for {
				insn, ok := u.insn(s, at, end)
				if !ok {
					return nil, fmt.Errorf("offset %#x: no known instruction in % x", at-start, s.Data[at:min(at+15, end)])
				}
				if next := at + uint64(insn.Len); r.Offset < next {
					if f.PCRel {
						ref.Bias = int64(at) + int64(insn.PC) - int64(r.Offset)
					}
					ref.Direct = f.PCRel && (insn.Call || insn.Jump)
					break
				} else {
					at = next
				}
			}
		}
		ref.Direct = ref.Direct || f.Branch
		if err := u.resolve(&ref, r); err != nil {
			return nil, fmt.Errorf("offset %#x: %w", ref.Offset, err)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// resolve finds the place that a relocation names.
func (u *Unit) resolve(ref *Ref, r elfobj.Reloc) error {
	if r.Sym == nil {
		return fmt.Errorf("relocation without a symbol")
	}
	if r.Sym.Section == nil {
		ref.External, ref.ToOffset = r.Sym, r.Addend+ref.Bias
		return nil
	}
	if it := u.bySymbol[r.Sym]; it != nil {
		ref.To, ref.ToOffset = it, int64(r.Sym.Value)+r.Addend+ref.Bias-int64(it.Start)
		return nil
	}
	place := int64(r.Sym.Value) + r.Addend + ref.Bias
	if len(u.bySection[r.Sym.Section]) == 0 && u.special(r.Sym.Section.Name) || u.inAlternate(r.Sym.Section, place) {
		ref.Table, ref.ToOffset = r.Sym.Section, place
		return nil
	}
	ref.BySection = r.Sym.Type == elf.STT_SECTION
	at := place
	if !ref.BySection {
		at = int64(r.Sym.Value) // a label tells the item, even if the place lies outside it
	}
	it := u.ItemAt(r.Sym.Section, at)
	if it == nil {
		it = u.behindPadding(r.Sym.Section, at)
	}
	if it == nil {
		it = u.beside(r.Sym.Section, at, ref.BySection)
	}
	if it == nil {
		return fmt.Errorf("reference to %q%+d, where nothing is defined", r.Sym, r.Addend)
	}
	ref.To, ref.ToOffset = it, place-int64(it.Start)
	return nil
}

// beside gives the item that a place outside every item is counted from, or nil: array[i - 1] is compiled to a place in
// front of the array, and array[i + n] to one behind it. It is unambiguous when the section holds a single item; where a
// relocation counts from the section's start, the nearer of the two neighbours is taken, the one behind first.
func (u *Unit) beside(s *elfobj.Section, at int64, bySection bool) *Item {
	items := u.bySection[s]
	switch {
	case len(items) == 0 || items[0].Kind == Literal:
		return nil
	case len(items) == 1:
		return items[0]
	case !bySection:
		return nil
	}
	i := sort.Search(len(items), func(i int) bool { return int64(items[i].Start) > at })
	if i == 0 || i < len(items) && int64(items[i].Start)-at <= at-int64(items[i-1].End) {
		return items[i]
	}
	return items[i-1]
}

// Name is that of what the reference leads to: an item, an external symbol, or a special section.
func (r Ref) Name() string {
	switch {
	case r.To != nil:
		return r.To.Name
	case r.External != nil:
		return r.External.Name
	}
	return r.Table.Name
}
