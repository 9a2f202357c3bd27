// Package unit sees one relocatable object, compiled from one .c file with a section for each function and datum, as
// the items that it defines and the references between them. Comparing, matching and linking all work on items, never
// on sections: a section may hold several (.sched.text, .data..percpu, string sections).
package unit

import (
	"debug/elf"
	"fmt"
	"slices"
	"sort"

	"livesplice/kmod/arch"
	"livesplice/kmod/elfobj"
)

// Kind says what an item is.
type Kind int

const (
	// Function is code with a sized STT_FUNC symbol.
	Function Kind = iota + 1
	// Datum is a named variable or constant.
	Datum
	// Anonymous is data or code without a sized symbol, such as a compiler's constants and switch tables, the slow path
	// of an alternative in .altinstr_aux, or hand-written assembly in a .c file.
	Anonymous
	// Literal is one entry of a mergeable section: a string or a constant that the linker may share with others.
	Literal
)

func (k Kind) String() string {
	return [...]string{"invalid", "function", "datum", "anonymous data", "literal"}[k]
}

// Item is one function or datum: a range of a section.
type Item struct {
	Kind Kind
	// Name is the first symbol's name, or for items without a symbol the section's name and offset.
	Name    string
	Section *elfobj.Section
	// Start and End bound the item in Section, in bytes.
	Start, End uint64
	// Syms are the symbols at Start, aliases included; empty for Anonymous and Literal items.
	Syms []*elfobj.Symbol
	// Parent is, for the part of a function that the compiler moved out of the hot path (foo.cold), the function.
	Parent *Item
	// Children are the items whose Parent this is.
	Children []*Item
	// Freed says of an item in a section that only some kernels free after boot (Section.InitIn) that this one does. Who knows
	// the kernel sets it.
	Freed bool
	// LabelsOf is, for a table of label addresses, the function that they are in; nil for any other item.
	LabelsOf *Item
	// Own says of a variable that is called as one that a macro of the kernel makes: by its type it is none. Set by who has read
	// Variables.
	Own bool

	refs     []Ref // what Refs found
	refsRead bool
}

// Unit is one object and its items.
type Unit struct {
	Obj   *elfobj.Object
	Arch  arch.Arch
	Items []*Item // by section in file order, then by Start
	// Types are those of the shipped kernel, set by who knows it before Tables is called; nil otherwise.
	Types Types

	bySection map[*elfobj.Section][]*Item
	bySymbol  map[*elfobj.Symbol]*Item
	hasLines  bool                           // there is a line table, be it dropped since
	lines     *lineTable                     // nil until it is asked for
	inlined   *inlineTable                   // the same
	sources   map[string]string              // the same
	again     func() (*elfobj.Object, error) // after DropDebug
	prefixes  map[*Item]uint64
	// alternates and marks are sorted by place.
	alternates map[*elfobj.Section][]span
	marks      map[*elfobj.Section][]mark
}

// Ref is one relocation in an item, with the place that it names.
type Ref struct {
	// Offset of the field from the item's start.
	Offset uint64
	Type   uint32
	Field  arch.Field
	// To is the item referred to, nil when the place lies outside this object; ToOffset is the place in it.
	To       *Item
	ToOffset int64
	// External is the undefined, absolute or common symbol referred to, nil when To is set; ToOffset is added to it.
	External *elfobj.Symbol
	// Table is the special section referred to, which holds no items: replacement code of an alternative. ToOffset is
	// the place in it.
	Table *elfobj.Section
	// BySection says that the relocation names the section's start, as the assembler does for local symbols: the place
	// is certain, but an index before an item or a pointer to its end looks like its neighbour.
	BySection bool
	// Bias is what a PC-relative field subtracts beyond its own address: the bytes from the field to the end of the
	// instruction. The stored addend is ToOffset (plus the item's place) minus Bias.
	Bias int64
	// Direct says that the field belongs to a call or jump instruction.
	Direct bool
}

// Size in bytes.
func (it *Item) Size() uint64 { return it.End - it.Start }

// Bytes are the item's content as it stands in the object; nil for data that is all zeroes and not in the file.
func (it *Item) Bytes() []byte {
	if it.Section.Type == elf.SHT_NOBITS {
		return nil
	}
	return it.Section.Data[it.Start:it.End]
}

// Global says whether another object can refer to the item by name.
func (it *Item) Global() bool {
	for _, s := range it.Syms {
		if s.Bind != elf.STB_LOCAL {
			return true
		}
	}
	return false
}

// Weak says whether another object's definition may take the item's place at the final link.
func (it *Item) Weak() bool {
	for _, s := range it.Syms {
		if s.Bind == elf.STB_WEAK {
			return true
		}
	}
	return false
}

// Writable says whether the item is a variable, in distinction from code and constants.
func (it *Item) Writable() bool { return it.Section.Flags&elf.SHF_WRITE != 0 }

// ThreadLocal says whether the item is one of __thread variables, which kernels do not have.
func (it *Item) ThreadLocal() bool { return it.Section.Flags&elf.SHF_TLS != 0 }

func (it *Item) String() string {
	if it == nil {
		return "nothing"
	}
	return it.Name
}

// New reads the items of an object. It reports instructions that it cannot decode in front of a PC-relative reference,
// overlapping functions, and relocation kinds that are not known.
func New(obj *elfobj.Object) (*Unit, error) {
	a, err := arch.For(obj)
	if err != nil {
		return nil, err
	}
	u := &Unit{Obj: obj, Arch: a, bySection: map[*elfobj.Section][]*Item{}, bySymbol: map[*elfobj.Symbol]*Item{},
		alternates: map[*elfobj.Section][]span{}, marks: map[*elfobj.Section][]mark{}, hasLines: lineTableIn(obj)}
	mergeDifferences(obj)
	u.findAlternates()
	symbols := map[*elfobj.Section][]*elfobj.Symbol{}
	for _, s := range obj.Symbols {
		switch {
		case s.Section == nil || s.Type == elf.STT_SECTION || s.Type == elf.STT_FILE || assemblerLabel(s):
		case s.Type == elf.STT_NOTYPE && a.Mapping(s.Name) != arch.NotMapping:
			u.marks[s.Section] = append(u.marks[s.Section], mark{s.Value, a.Mapping(s.Name) == arch.MapsData})
		default:
			symbols[s.Section] = append(symbols[s.Section], s)
		}
	}
	for _, m := range u.marks {
		slices.SortStableFunc(m, func(a, b mark) int { return int(int64(a.at) - int64(b.at)) })
	}
	for _, s := range obj.Sections {
		if !s.Alloc() || s.Type == elf.SHT_RELA || s.Type == elf.SHT_NOTE || u.special(s.Name) {
			continue
		}
		if table, ok := a.Table(s.Name); ok && s.Type != elf.SHT_NOBITS {
			err = u.addLiterals(s, table.Sizes[0])
		} else if s.Flags&elf.SHF_MERGE != 0 && s.EntSize > 0 && s.Type != elf.SHT_NOBITS {
			err = u.addLiterals(s, s.EntSize)
		} else if Piecewise(s.Name) {
			u.addPieces(s)
		} else {
			err = u.addItems(s, symbols[s])
		}
		if err != nil {
			return nil, err
		}
	}
	u.adopt()
	u.findLabelTables()
	return u, nil
}

// addItems splits a section at its sized symbols; what lies between two of them becomes an anonymous item when it is
// not only padding. A section without any byte holds one datum, whose type is empty (struct lock_class_key without
// lockdep): its address is taken, its content never looked at.
func (u *Unit) addItems(s *elfobj.Section, syms []*elfobj.Symbol) error {
	sort.SliceStable(syms, func(i, j int) bool {
		a, b := syms[i], syms[j]
		return a.Value < b.Value || a.Value == b.Value && a.Size > b.Size
	})
	if s.Name == btfIDs || s.Name == exportSymbol {
		return u.addLabelled(s, syms)
	}
	sizes := sizesIn(s, syms)
	var last *Item
	at := uint64(0)
	for i, y := range syms {
		size, sized := sizes[i], y.Type == elf.STT_FUNC || y.Type == elf.STT_OBJECT
		switch {
		case last != nil && y.Value == last.Start && (size == last.Size() || y.Size == 0 || !sized):
			last.Syms = append(last.Syms, y)
			u.bySymbol[y] = last
			continue
		case !sized, size == 0 && s.Size() > 0, y.Size == 0 && y.Value < at, u.prefixSymbol(s, y):
			continue // a label inside or between items: resolved by its offset
		case y.Value < at:
			return fmt.Errorf("section %q: %q at %#x overlaps %q, which ends at %#x", s.Name, y.Name, y.Value, last.Name, at)
		case y.Value+size < y.Value || y.Value+size > s.Size():
			return fmt.Errorf("section %q: %q [%#x, +%#x) lies outside the section of %#x bytes", s.Name, y.Name, y.Value, size, s.Size())
		}
		u.addGap(s, at, y.Value)
		last = &Item{Kind: Datum, Name: y.Name, Section: s, Start: y.Value, End: y.Value + size, Syms: []*elfobj.Symbol{y}}
		if s.Exec() {
			last.Kind = Function
		}
		u.bySymbol[y] = last
		u.add(last)
		at = last.End
	}
	u.addGap(s, at, s.Size())
	return nil
}

// sizesIn gives the sizes of symbols in ascending order of place. A function that the assembler was told no size of, as
// gcc does for expoline thunks of s390, reaches to the next symbol of code or to the end of its section.
func sizesIn(s *elfobj.Section, syms []*elfobj.Symbol) []uint64 {
	sizes := make([]uint64, len(syms))
	next := s.Size()
	for i := len(syms) - 1; i >= 0; i-- {
		y := syms[i]
		if sizes[i] = y.Size; y.Size == 0 && y.Type == elf.STT_FUNC && s.Exec() && y.Value < next {
			sizes[i] = next - y.Value
		}
		if y.Type == elf.STT_FUNC && y.Value < next {
			next = y.Value
		}
	}
	return sizes
}

// btfIDs is written by macros that give some of its symbols no size: the name of a set stands before its counter.
//
// Source: include/linux/btf_ids.h, v6.1.
const btfIDs = ".BTF_ids"

// exportSymbol has a label without a size in front of each exported symbol, for modpost.
//
// Source: include/linux/export.h, v6.4 to v7.2.
const exportSymbol = ".export_symbol"

// addLabelled makes an item from each symbol to the next.
func (u *Unit) addLabelled(s *elfobj.Section, syms []*elfobj.Symbol) error {
	if len(syms) == 0 || syms[0].Value > 0 {
		u.addGap(s, 0, s.Size())
		return nil
	}
	var last *Item
	for i, y := range syms {
		if last != nil && y.Value == last.Start {
			last.Syms = append(last.Syms, y)
			u.bySymbol[y] = last
			continue
		}
		end := s.Size()
		for _, next := range syms[i+1:] {
			if next.Value > y.Value {
				end = next.Value
				break
			}
		}
		if y.Value >= end || end > s.Size() {
			return fmt.Errorf("section %q: %q at %#x lies outside the section of %#x bytes", s.Name, y.Name, y.Value, s.Size())
		}
		last = &Item{Kind: Datum, Name: y.Name, Section: s, Start: y.Value, End: end, Syms: []*elfobj.Symbol{y}}
		u.bySymbol[y] = last
		u.add(last)
	}
	return nil
}

func (u *Unit) addGap(s *elfobj.Section, from, to uint64) {
	spans := u.alternates[s]
	for i := sort.Search(len(spans), func(i int) bool { return spans[i].start >= from }); i < len(spans) && spans[i].end <= to; i++ {
		u.addPiece(s, from, spans[i].start)
		from = max(from, spans[i].end)
	}
	u.addPiece(s, from, to)
}

func (u *Unit) addPiece(s *elfobj.Section, from, to uint64) {
	if from >= to {
		return
	}
	if s.Exec() && u.onlyNops(s, from, to) || from > 0 && len(s.RelocsIn(from, to)) == 0 && zero(s, from, to) {
		return // padding
	}
	u.add(&Item{Kind: Anonymous, Name: fmt.Sprintf("%s+%#x", s.Name, from), Section: s, Start: from, End: to})
}

// onlyNops says whether a stretch of code between functions does nothing: the assembler's padding. INT3 and zeroes are
// padding too, since nothing can run them.
func (u *Unit) onlyNops(s *elfobj.Section, from, to uint64) bool {
	if s.Type == elf.SHT_NOBITS {
		return true
	}
	const int3 = 0xcc
	for at := from; at < to; {
		if s.Data[at] == int3 {
			at++
			continue
		}
		if s.Data[at] == 0 && zero(s, at, to) {
			return true
		}
		insn, ok := u.insn(s, at, to)
		if !ok || !insn.Nop {
			return false
		}
		at += uint64(insn.Len)
	}
	return true
}

func zero(s *elfobj.Section, from, to uint64) bool {
	if s.Type == elf.SHT_NOBITS {
		return true
	}
	for _, b := range s.Data[from:to] {
		if b != 0 {
			return false
		}
	}
	return true
}

// maxItems bounds what a unit takes in memory: far more than the largest object of a kernel has.
const maxItems = 1 << 21

// addLiterals makes an item of each entry of a mergeable section. Symbols in such sections are the assembler's own.
func (u *Unit) addLiterals(s *elfobj.Section, size uint64) error {
	n := uint64(len(s.Data))
	for at := uint64(0); at < n; {
		if len(u.Items) >= maxItems {
			return fmt.Errorf("section %q: more than %d entries, strings and constants of the object counted together", s.Name, maxItems)
		}
		end := min(at+size, n)
		if s.Strings() {
			for end < n && !zero(s, end-size, end) {
				end = min(end+size, n)
			}
		}
		u.add(&Item{Kind: Literal, Name: fmt.Sprintf("%s+%#x", s.Name, at), Section: s, Start: at, End: end})
		at = end
	}
	return nil
}

func (u *Unit) add(it *Item) {
	u.Items = append(u.Items, it)
	u.bySection[it.Section] = append(u.bySection[it.Section], it)
}

// within says whether an item is another one, or a part of it: by aliases, two items can be named after each other.
func within(it, other *Item) bool {
	for ; it != nil; it = it.Parent {
		if it == other {
			return true
		}
	}
	return false
}

// adopt finds the parents of split-off parts. The compiler names them after their function; a number behind it tells
// parts of clones apart.
func (u *Unit) adopt() {
	byName := map[string]*Item{}
	for _, it := range u.Items {
		if it.Kind == Function {
			for _, y := range it.Syms { // the part is named after one of several aliases
				byName[y.Name] = it
			}
			byName[it.Name] = it
		}
	}
	for _, it := range u.Items {
		base, isCold := ColdParent(it.Name)
		if p := byName[base]; isCold && it.Kind == Function && p != nil && !within(p, it) {
			it.Parent = p
			p.Children = append(p.Children, it)
		}
	}
}

// ItemOf gives the item that a symbol names, or nil.
func (u *Unit) ItemOf(s *elfobj.Symbol) *Item { return u.bySymbol[s] }

// ItemsIn gives the items of a section in ascending order.
func (u *Unit) ItemsIn(s *elfobj.Section) []*Item { return u.bySection[s] }

// ItemAt gives the item that holds the given offset of a section, or nil. The end of an item counts as
// part of it where no other begins, since C allows pointers there.
func (u *Unit) ItemAt(s *elfobj.Section, off int64) *Item {
	items := u.bySection[s]
	i := sort.Search(len(items), func(i int) bool { return int64(items[i].Start) > off })
	if i == 0 || off < 0 {
		return nil
	}
	if it := items[i-1]; off <= int64(it.End) {
		return it
	}
	return nil
}
