package diff

import (
	"debug/elf"
	"fmt"
	"slices"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// Extract is the part of post that an update carries: changed and new functions with their cold parts, the data that
// only they use, the entries of special sections that belong to them, and nothing else.
type Extract struct {
	Unit string
	Obj  *elfobj.Object
	// Functions are the carried functions in the order of post.
	Functions []Carried
	// Idle are the new functions that nothing carried refers to.
	Idle []string
	// Silent are the tracepoints of the patched module that do not fire in the carried functions: "name in function".
	Silent []string
	// Needs are the undefined symbols of Obj with what each stands for, in order of first use.
	Needs []Need
	// Forced is what would have been refused but for Names.Force; Obj is whole all the same.
	Forced Refusals
}

// Carried is one function in the extract.
type Carried struct {
	Post *unit.Item
	// Pre is the function that it takes the place of; nil when it is new, or is called only by carried functions.
	Pre *unit.Item
	// Entry is the global symbol that the module's list of functions refers to; nil when Pre is.
	Entry *elfobj.Symbol
}

// Need is a place outside the extract: an item of pre that stays where it is in the running kernel, a constant of which the
// running kernel has a copy, or a name that the unit itself does not define.
type Need struct {
	Sym *elfobj.Symbol // undefined symbol of the extract; its name may differ from the place's
	Pre *unit.Item     // nil for an external name
	// Name is the external name when Pre is nil.
	Name string
	// Constant is the item of post whose copy in the running kernel is meant; Pre is nil then, and Name that of Sym.
	Constant *unit.Item
}

// Names says how the extract names what stays outside of it.
type Names struct {
	// Prefix tells apart the symbols of several units in one update.
	Prefix string
	// Late says of an external name whether its place is known only once the patched module is loaded: a symbol of that
	// module, or of another one that it imports from. Nil for a unit of vmlinux, which has none.
	Late func(name string) bool
	// Force extracts in spite of what the pair alone cannot tell to be right; see Extract.Forced.
	Force bool
	// Shipped says of a constant of post that the running kernel has a copy, which is used in place of one in the extract. Nil for
	// none.
	Shipped func(it *unit.Item) bool
}

// Extract makes the object that an update carries for this unit. What cannot be carried is returned as Refusals.
func (r *Result) Extract(names Names) (*Extract, error) {
	x := &extractor{Result: r, prefix: names.Prefix, lateName: names.Late, force: names.Force, shipped: names.Shipped,
		out:    &elfobj.Object{Machine: r.Post.Obj.Machine, BigEndian: r.Post.Obj.BigEndian, OSABI: r.Post.Obj.OSABI, Flags: r.Post.Obj.Flags},
		placed: map[*unit.Item]*elfobj.Symbol{}, sections: map[string]*elfobj.Section{}, needs: map[needed]*elfobj.Symbol{}, entryAt: map[entryKey]uint64{}, labels: map[*unit.Item]*elfobj.Symbol{}, defined: map[string]bool{}}
	x.ext = &Extract{Unit: r.Unit, Obj: x.out}
	x.include()
	if x.loadRuntimeConstants() {
		var err error
		if r.cmp.special[r.Post], err = r.Post.Tables(); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Unit, err)
		}
		x.include()
	}
	for _, it := range x.items {
		x.place(it)
	}
	for _, it := range x.items {
		for _, e := range r.cmp.special[r.Post][it] {
			x.placeEntry(e)
		}
	}
	for _, it := range x.items {
		x.copyRefs(it)
	}
	for _, it := range x.items {
		for _, e := range r.cmp.special[r.Post][it] {
			x.copyEntry(e)
		}
	}
	x.unknownSections()
	x.entries()
	for _, it := range r.Post.Items {
		if it.Kind == unit.Function && it.Parent == nil && r.PreOf(it) == nil && !x.carried[it] && !x.neverRuns(it) {
			x.ext.Idle = append(x.ext.Idle, it.Name)
		}
	}
	if len(x.refusals) > 0 {
		x.refusals = append(x.refusals, x.ext.Forced...)
		x.refusals.Sort()
		return nil, slices.Compact(x.refusals)
	}
	x.ext.Forced.Sort()
	x.ext.Forced = slices.Compact(x.ext.Forced)
	return x.ext, nil
}

type extractor struct {
	*Result
	prefix   string
	lateName func(string) bool
	shipped  func(*unit.Item) bool
	out      *elfobj.Object
	ext      *Extract
	items    []*unit.Item // carried, in the order of post
	carried  map[*unit.Item]bool
	placed   map[*unit.Item]*elfobj.Symbol // where each carried item is in out
	sections map[string]*elfobj.Section    // of out, for data that shares them
	entryAt  map[entryKey]uint64
	labels   map[*unit.Item]*elfobj.Symbol // of unnamed items, where a section's symbol does not tell them
	needs    map[needed]*elfobj.Symbol     // by what they stand for
	defined  map[string]bool               // names that out uses already
	refusals Refusals
	force    bool
}

// include finds what must be carried: the replaced functions and, from there, all that has no place in the running
// kernel.
func (x *extractor) include() {
	x.carried, x.items = map[*unit.Item]bool{}, nil
	var found []*unit.Item // and not looked at yet
	visit := func(it *unit.Item) {
		if !x.carried[it] {
			x.carried[it] = true
			found = append(found, it)
		}
	}
	for _, it := range append(x.Replaced(), x.NewGlobals()...) {
		visit(it)
	}
	for len(found) > 0 {
		it := found[len(found)-1]
		found = found[:len(found)-1]
		for _, c := range it.Children {
			visit(c)
		}
		refs, err := x.Post.Refs(it)
		if err != nil {
			x.cannot(UnknownCode, it, err.Error(), "report this as a bug of livesplice, with the object")
			continue
		}
		x.visitRefs(refs, visit)
		for _, e := range x.cmp.special[x.Post][it] {
			x.visitRefs(e.Refs, visit)
			x.visitRefs(e.Replacement.Refs, visit)
		}
	}
	for _, it := range x.Post.Items {
		if x.carried[it] {
			x.items = append(x.items, it)
		}
	}
}

// NewGlobals are the functions and data that post adds and that another unit of the update can refer to by name. A unit
// can add some and replace nothing.
func (r *Result) NewGlobals() []*unit.Item {
	var out []*unit.Item
	for _, it := range r.Post.Items {
		if r.PreOf(it) == nil && it.Global() && carriedSection(it) == "" && bootTable(it.Section.Name) == "" {
			out = append(out, it)
		}
	}
	return out
}

// NewNames are the names by which other units can refer to functions and data of post, and could not to those of pre: those of
// NewGlobals, and new ones of what is there already, such as an alias or the name of a function that was static.
func (r *Result) NewNames() map[string]*unit.Item {
	was := map[string]bool{}
	for _, it := range r.Pre.Items {
		for _, y := range it.Syms {
			was[y.Name] = was[y.Name] || y.Bind != elf.STB_LOCAL
		}
	}
	out := map[string]*unit.Item{}
	for _, it := range r.Post.Items {
		for _, y := range it.Syms {
			if y.Bind != elf.STB_LOCAL && !was[y.Name] && carriedSection(it) == "" && bootTable(it.Section.Name) == "" {
				out[y.Name] = it
			}
		}
	}
	return out
}

func (x *extractor) visitRefs(refs []unit.Ref, visit func(*unit.Item)) {
	for _, ref := range refs {
		if ref.To != nil && x.carry(ref) {
			visit(ref.To)
		}
	}
}

// carry says whether the item that a reference names must be part of the extract. Function pointers stay those of the
// running kernel: only direct calls go to the new copy of a replaced function.
func (x *extractor) carry(ref unit.Ref) bool {
	it := ref.To
	root := it
	for root.Parent != nil {
		root = root.Parent
	}
	switch {
	case x.shipped != nil && x.shipped(it):
		return false
	case Fresh(it), x.PreOf(it) == nil && x.PreOf(root) == nil, x.local[root]:
		return true
	case it != root:
		// A split-off part goes with its function. One whose function stays is not reached from here.
		return x.carried[root] || x.changed[root]
	case x.changed[it]:
		return ref.Direct || ref.ToOffset != 0 // a place inside the function: jump tables, alternatives
	case it.Kind == unit.Function && x.carried[it] && ref.ToOffset != 0:
		return true
	}
	return x.PreOf(it) == nil
}

// copyRefs writes the relocations of a placed item.
func (x *extractor) copyRefs(it *unit.Item) {
	refs, err := x.Post.Refs(it)
	if err != nil {
		return // refused by include
	}
	p := x.placed[it]
	x.restoreFentry(it)
	for _, ref := range refs {
		x.reloc(p.Section, p.Value, ref, it, x.carry)
		x.staticCallKey(ref)
	}
}

// placeEntry puts an entry of a special section that belongs to a carried function into out.
func (x *extractor) placeEntry(e unit.Entry) {
	s := x.tableSection(e)
	x.entryAt[entryKey{e.Section, e.Start}] = appendTo(s, e.Data(), e.End-e.Start, 1, 0)
}

// entryKey names an entry of post by its section and its offset there.
type entryKey struct {
	section *elfobj.Section
	start   uint64
}

// toEntry gives the place in out of an entry that a reference names; ok is false when the entry is not carried.
func (x *extractor) toEntry(ref unit.Ref) (s *elfobj.Section, at int64, ok bool) {
	start := ref.ToOffset
	if owner, rank, in := x.cmp.special[x.Post].Find(ref.Table, ref.ToOffset); owner == nil || !x.carried[owner] || rank < 0 {
		return nil, 0, false
	} else {
		start -= in
	}
	placed, ok := x.entryAt[entryKey{ref.Table, uint64(start)}]
	return x.section(ref.Table), int64(placed) + ref.ToOffset - start, ok
}

// copyEntry writes the relocations of a placed entry.
func (x *extractor) copyEntry(e unit.Entry) {
	owner := e.Refs[0].To
	local := func(ref unit.Ref) bool { return ref.To == owner || x.carry(ref) }
	x.checkLate(e, local)
	s := x.tableSection(e)
	at := x.entryAt[entryKey{e.Section, e.Start}]
	for i, ref := range e.Refs {
		if e.Alt != nil && ref.Table != nil && i == e.Alt.Start {
			x.copyReplacement(s, at, ref, e)
		} else if e.Alt == nil || ref.Table == nil || i != e.Alt.End {
			x.reloc(s, at, ref, owner, local)
		}
	}
}

// copyReplacement copies the code of an alternative and makes the entry at base in s point to it.
func (x *extractor) copyReplacement(s *elfobj.Section, base uint64, ref unit.Ref, e unit.Entry) {
	section := x.section
	if e.Alt.Inline {
		section = x.alternates
	}
	dst := section(ref.Table)
	r := e.Replacement
	at := uint64(0)
	if r.Section != nil {
		at = appendTo(dst, r.Data(), r.End-r.Start, 1, 0)
		for _, rr := range r.Refs {
			x.reloc(dst, at, rr, e.Refs[0].To, func(ref unit.Ref) bool { return ref.To == e.Refs[0].To || x.carry(ref) })
		}
	}
	rela := x.out.AddRela(s)
	rela.Relocs = append(rela.Relocs, elfobj.Reloc{Offset: base + ref.Offset, Type: ref.Type, Sym: x.out.SectionSymbol(dst), Addend: int64(at) - ref.Bias})
	if e.Alt.End > 0 {
		end := e.Refs[e.Alt.End]
		rela.Relocs = append(rela.Relocs, elfobj.Reloc{Offset: base + end.Offset, Type: end.Type, Sym: x.out.SectionSymbol(dst), Addend: int64(at+r.End-r.Start) - end.Bias})
	}
}

// unknownSections refuses data that points into the middle of carried code without being a known table: the kernel may
// walk it, and would find only the old code.
func (x *extractor) unknownSections() {
	for _, it := range x.Post.Items {
		if it.Kind == unit.Function || x.carried[it] {
			continue
		}
		refs, err := x.Post.Refs(it)
		if err != nil {
			x.cannot(UnknownSection, it, err.Error(), "report this as a bug of livesplice, with the object")
			continue
		}
		for _, ref := range refs {
			if ref.To != nil && ref.To.Kind == unit.Function && x.carried[ref.To] && ref.ToOffset != 0 && ref.ToOffset < int64(ref.To.Size()) {
				if it.Kind == unit.Datum && ordinary(it.Section.Name) {
					x.unsure(NotExtractable, it, fmt.Sprintf("it holds the address of a label in %s, and goes on holding that of the old code", ref.To.Name),
						"make it a local constant of the function, which nothing else uses, or change a caller of the function instead")
					break
				}
				x.unsure(UnknownSection, it, fmt.Sprintf("section %s points into %s, and what it means is not known", it.Section.Name, ref.To.Name),
					"report this as a bug of livesplice, with the kernel's version")
			}
		}
	}
}

// entries makes the global symbols by which the module's list of functions finds the carried ones. That of a function with
// parts split off is no function to objtool, which would take it for the function in place of the symbol that the parts are
// named after: a part that is reached by jump labels alone would get no unwind data.
//
// Source: tools/objtool/elf.c, elf_add_symbol and read_symbols, v5.10 to v7.0.
func (x *extractor) entries() {
	for _, it := range x.items {
		if it.Kind != unit.Function {
			continue
		}
		c := Carried{Post: it}
		if x.changed[it] {
			p := x.placed[it]
			c.Pre = x.PreOf(it)
			c.Entry = &elfobj.Symbol{Name: fmt.Sprintf("livesplice_%s_%d", x.prefix, len(x.ext.Functions)), Value: p.Value, Size: p.Size,
				Bind: elf.STB_GLOBAL, Type: elf.STT_FUNC, Other: p.Other, Section: p.Section}
			if len(it.Children) > 0 {
				c.Entry.Type = elf.STT_NOTYPE
			}
			x.out.Symbols = append(x.out.Symbols, c.Entry)
		}
		x.ext.Functions = append(x.ext.Functions, c)
	}
}

func (x *extractor) cannot(code Code, it *unit.Item, reason, remedy string) {
	x.refusals = append(x.refusals, Refusal{Code: code, Unit: x.Unit, Subject: it.Name, Source: x.Post.Source(it), Reason: reason, Remedy: remedy})
}
