package diff

import (
	"debug/elf"
	"fmt"
	"sort"
	"strings"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// reloc adds to section s the relocation that ref is, for an item or entry that begins at base. local says whether the
// reference goes to the copy of a carried item.
func (x *extractor) reloc(s *elfobj.Section, base uint64, ref unit.Ref, in *unit.Item, local func(unit.Ref) bool) {
	rel := elfobj.Reloc{Offset: base + ref.Offset, Type: ref.Type, Addend: ref.ToOffset - ref.Bias}
	switch {
	case ref.Field.Size == 1:
		x.cannot(NotExtractable, in, fmt.Sprintf("a short jump leads to %s, its neighbour in %s, and reaches no further", ref.Name(), in.Section.Name),
			"change the patch so that the compiler makes other code, or reboot into a fixed kernel")
		return
	case ref.Table != nil:
		if dst, at, ok := x.toEntry(ref); ok {
			rel.Sym, rel.Addend = x.out.SectionSymbol(dst), at-ref.Bias
			break
		}
		x.cannot(NotExtractable, in, "refers to "+ref.Table.Name, "report this as a bug of livesplice, with the patch")
		return
	case ref.To == nil && (ref.External.Shndx == elf.SHN_UNDEF || x.keptCommon(ref.External)):
		rel.Sym = x.need(nil, ref.External.Name, ref.External.Type)
	case ref.To == nil:
		if !x.unsure(NotExtractable, in, "refers to "+ref.External.Name+", an absolute symbol or a new common one", "define it in a source file, or reboot into a fixed kernel") {
			return
		}
		rel.Sym = x.need(nil, ref.External.Name, ref.External.Type)
	case x.cmp.ambiguous[ref.To] && !x.unsure(AmbiguousStatic, ref.To, "which variable of this name in the running kernel it is, if any, cannot be told from "+x.identifiedBy(),
		"give the variables different names in the patch, or keep their users as they are"):
		return
	case x.edge(ref) && !x.unsure(NotExtractable, in, fmt.Sprintf("whether it refers to %s or to its neighbour in %s cannot be told", ref.To.Name, ref.To.Section.Name),
		"do not add, move or remove data in that section"):
		return
	case x.shipped != nil && x.shipped(ref.To):
		rel.Sym = x.needConstant(ref.To)
	case x.carried[ref.To] && local(ref):
		rel.Sym, rel.Addend = x.here(ref, rel.Addend)
		if p := x.placed[ref.To]; ref.To.Kind == unit.Function && ref.BySection {
			// objtool takes a jump to a function's symbol for a sibling call, and gives up on a file whose annotations have
			// one: for it to see a cold part as what it is, the section must be named, as the assembler does.
			rel.Sym, rel.Addend = x.out.SectionSymbol(p.Section), rel.Addend+int64(p.Value)
		}
	default:
		pre := x.PreOf(ref.To)
		if reason := unreachable(pre); reason != "" {
			refuse := x.unsure
			if pre == nil || len(pre.Syms) == 0 {
				refuse = x.impossible
			}
			if !refuse(NotExtractable, in, fmt.Sprintf("refers to %s, %s", ref.To.Name, reason), "take the reference out of the patch, or reboot into a fixed kernel") {
				return
			}
		}
		rel.Sym = x.need(pre, pre.Name, pre.Syms[0].Type)
	}
	// The kernel refuses a module with anything but zeroes in a field that it relocates, which the assembler leaves there
	// where it knew a distance. Source: arch/x86/kernel/module.c, __apply_relocate_add, v6.1.
	if s.Type != elf.SHT_NOBITS {
		ref.Field.Clear(x.out.Order(), s.Data[rel.Offset:rel.Offset+uint64(ref.Field.Size)])
	}
	r := x.out.AddRela(s)
	r.Relocs = append(r.Relocs, rel)
}

// unreachable says why the running kernel's copy of an item cannot be referred to, or "".
func unreachable(pre *unit.Item) string {
	switch {
	case pre == nil:
		return "which the running kernel does not have"
	case len(pre.Syms) == 0:
		return "which has no name in the running kernel"
	case bootOnly(pre):
		return "which the running kernel has freed after boot"
	}
	return ""
}

// here gives symbol and addend for a reference to the copy of a carried item.
func (x *extractor) here(ref unit.Ref, addend int64) (*elfobj.Symbol, int64) {
	p := x.placed[ref.To]
	if len(ref.To.Syms) > 0 {
		return p, addend
	}
	if ref.ToOffset >= 0 && ref.ToOffset < int64(p.Size) {
		return x.out.SectionSymbol(p.Section), addend + int64(p.Value)
	}
	// Counted from the section's start, a place outside the item would be one of its neighbour.
	label := x.labels[ref.To]
	if label == nil {
		label = &elfobj.Symbol{Name: fmt.Sprintf("livesplice_%s_data_%d", x.prefix, len(x.labels)), Value: p.Value, Bind: elf.STB_LOCAL, Type: elf.STT_NOTYPE, Section: p.Section}
		x.labels[ref.To] = label
		x.out.Symbols = append(x.out.Symbols, label)
	}
	return label, addend
}

// edge says whether a reference that counts from the start of a section with several items can mean another item than
// the one that it leads to: a pointer to the end of the item in front, or an index before the item behind (a[i - 1]).
// It does no harm where the neighbours are those of pre, since both readings are then the same place of the kernel.
func (x *extractor) edge(ref unit.Ref) bool {
	const scalar, reach = 8, 64 // bytes: what has no end pointer; how far before an array an index is looked for
	// What macros make at each place of use is no array either.
	it := ref.To
	items := x.Post.ItemsIn(it.Section)
	if !ref.BySection || it.Kind != unit.Datum || len(items) < 2 {
		return false
	}
	i := sort.Search(len(items), func(i int) bool { return items[i].Start >= it.Start })
	place := int64(it.Start) + ref.ToOffset
	if ref.ToOffset < -reach || place > int64(it.End)+reach {
		return true // an index of any of them
	}
	if i > 0 && ref.ToOffset < 0 && !x.sameDistance(items[i-1], it) || i+1 < len(items) && place > int64(it.End) && !x.sameDistance(it, items[i+1]) {
		return true // in the padding between two
	}
	if i > 0 {
		if prev := items[i-1]; prev.Size() > scalar && !Fresh(prev) && int64(prev.End) == place && !x.sameDistance(prev, it) {
			return true
		}
	}
	if i+1 < len(items) {
		if next := items[i+1]; next.Size() > scalar && !Fresh(next) && int64(next.Start)-place <= reach && !x.sameDistance(it, next) {
			return true
		}
	}
	return false
}

// sameDistance says whether two neighbours of post lie as far from each other in pre.
func (x *extractor) sameDistance(a, b *unit.Item) bool {
	p, q := x.PreOf(a), x.PreOf(b)
	return p != nil && q != nil && p.Section == q.Section && q.Start-p.Start == b.Start-a.Start && !x.carried[a] && !x.carried[b]
}

// needConstant gives the undefined symbol for the copy of a constant that the running kernel has.
func (x *extractor) needConstant(it *unit.Item) *elfobj.Symbol {
	key := needed{it, "constant"}
	s := x.needs[key]
	if s == nil {
		s = &elfobj.Symbol{Name: fmt.Sprintf("livesplice_%s_constant_%d", x.prefix, len(x.needs)), Bind: elf.STB_GLOBAL, Type: elf.STT_NOTYPE, Shndx: elf.SHN_UNDEF}
		x.needs[key] = s
		x.out.Symbols = append(x.out.Symbols, s)
		x.ext.Needs = append(x.ext.Needs, Need{Sym: s, Name: s.Name, Constant: it})
	}
	return s
}

// needed is a place outside the extract: an item of pre, or an external name.
type needed struct {
	pre  *unit.Item
	name string
}

// need gives the undefined symbol for a place outside the extract. It keeps the place's own name where it can, since
// objtool knows some functions by name.
func (x *extractor) need(pre *unit.Item, name string, typ elf.SymType) *elfobj.Symbol {
	key := needed{pre, name}
	if s := x.needs[key]; s != nil {
		return s
	}
	alias := name
	for n := 1; x.defined[alias]; n++ {
		alias = fmt.Sprintf("%s..%s.%d", name, x.prefix, n)
	}
	s := &elfobj.Symbol{Name: alias, Bind: elf.STB_GLOBAL, Type: elf.STT_NOTYPE, Shndx: elf.SHN_UNDEF}
	if late := x.late(pre, name); alias == name && (late || pre != nil && !pre.Global()) {
		// Two units may have static functions of this name, two modules global ones: each needs a symbol of its own. And what
		// modpost finds exported by a module, it would make the update depend on.
		s.Name = fmt.Sprintf("%s..%s", lateName(late, name), x.prefix)
		for n := 1; x.defined[s.Name]; n++ { // an object that was linked from several has static functions of one name
			s.Name = fmt.Sprintf("%s..%s.%d", lateName(late, name), x.prefix, n)
		}
	}
	x.defined[s.Name] = true
	x.needs[key] = s
	x.out.Symbols = append(x.out.Symbols, s)
	x.ext.Needs = append(x.ext.Needs, Need{Sym: s, Pre: pre, Name: name})
	return s
}

// staticCallKey keeps the key of a static call that carried code makes in the symbol table: objtool writes the unit.Entry
// of .static_call_sites with it. Without the key it writes the trampoline, which the kernel can only translate for
// exported ones.
func (x *extractor) staticCallKey(ref unit.Ref) {
	name := ""
	switch {
	case ref.External != nil:
		name = ref.External.Name
	case ref.To != nil:
		name = ref.To.Name
	}
	base, ok := strings.CutPrefix(name, trampoline)
	if !ok {
		return
	}
	key := x.Post.Obj.Symbol("__SCK__" + base)
	if key == nil || x.late(x.PreOf(x.Post.ItemOf(key)), key.Name) {
		return
	}
	if it := x.Post.ItemOf(key); it != nil {
		if pre := x.PreOf(it); pre != nil {
			x.need(pre, pre.Name, elf.STT_OBJECT)
		}
		return
	}
	x.need(nil, key.Name, elf.STT_NOTYPE)
}

// identifiedBy says by what a variable is known as one of the running kernel.
func (x *extractor) identifiedBy() string {
	if x.cmp.unscoped {
		return "the functions that use it, and debug information (-g), which the objects lack, would tell more"
	}
	return "the functions that use it"
}
