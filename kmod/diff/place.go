package diff

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// place puts an item's bytes into a section of out and makes its symbol.
func (x *extractor) place(it *unit.Item) {
	if reason := carriedSection(it); reason != "" {
		x.unsure(NotExtractable, it, reason, "leave it as it is in the patch, or reboot into a fixed kernel")
	}
	src := it.Section
	var s *elfobj.Section
	switch {
	case it.Kind == unit.Function:
		name := ".text." + it.Name
		if strings.HasPrefix(src.Name, ".text.unlikely") {
			name = ".text.unlikely." + it.Name
		}
		s = &elfobj.Section{Name: name, Type: elf.SHT_PROGBITS, Flags: src.Flags &^ tied, Align: src.Align}
		x.out.Sections = append(x.out.Sections, s)
	default:
		s = x.section(src)
	}
	if n := x.Post.Prefix(it); n > 0 {
		appendTo(s, src.Data[it.Start-n:it.Start], n, max(src.Align, 1), it.Start-n)
	}
	at := appendTo(s, it.Bytes(), it.Size(), max(src.Align, 1), it.Start)
	if len(it.Syms) == 0 {
		// Items without a name are reached through the section's symbol; their place is remembered in a stand-in.
		x.placed[it] = &elfobj.Symbol{Value: at, Section: s, Size: it.Size()}
		return
	}
	sym := &elfobj.Symbol{Name: placedName(it), Value: at, Size: it.Size(), Bind: elf.STB_LOCAL, Type: elf.STT_OBJECT, Section: s}
	if it.Kind == unit.Function {
		sym.Type, sym.Other = elf.STT_FUNC, localEntry(it)
	}
	if x.PreOf(it) == nil && it.Global() {
		sym.Bind = elf.STB_GLOBAL // another unit of the same update may refer to it
	}
	x.out.Symbols = append(x.out.Symbols, sym)
	x.defined[sym.Name] = true
	x.placed[it] = sym
}

// placedName is the name of an item in the extract. Of a function's aliases it is the one that its parts are named after, by
// which objtool finds the function of a part.
func placedName(it *unit.Item) string {
	for _, c := range it.Children {
		base, _ := unit.ColdParent(c.Name)
		if slices.ContainsFunc(it.Syms, func(y *elfobj.Symbol) bool { return y.Name == base }) {
			return base
		}
	}
	return it.Name
}

// localEntry gives what st_other says of a function but for its visibility: on ppc64le, where calls from the same unit
// enter it.
func localEntry(it *unit.Item) byte {
	const visibility = 3
	return it.Syms[0].Other &^ visibility
}

// tied are the flags of sections that live or die with another one. The copy stands alone: a COMDAT group would let
// the linker drop it.
const tied = elf.SHF_GROUP | elf.SHF_LINK_ORDER

// carriedSection says why an item cannot be carried because of the section that it is in, or "". What lies in a
// section that is not known here may mean something to the kernel.
func carriedSection(it *unit.Item) string {
	sec := it.Section.Name
	known := unit.KnownSection(sec)
	switch {
	case storageOf(it) == threadLocal:
		return "it is a thread-local variable, which kernels do not have"
	case strings.HasPrefix(it.Name, "__SCT__"), strings.HasPrefix(it.Name, "__SCK__"):
		return "it belongs to a new static call, which an update cannot define"
	case storageOf(it) == initOnly:
		return "it is in " + sec + ", which is freed after boot, and code that stays refers to it"
	case known.Fixed != "":
		return "it is in section " + sec + ": " + known.Fixed
	case known.Use == unit.Text && it.Section.Exec(), known.Use == unit.Data:
		return ""
	}
	return "it is in section " + sec + ", and what that means in a module is not known"
}

// section gives the section of out that collects items of one of post, entries of tables, or replacement code.
//
// Modules have one section of per-CPU data; the others of the kernel differ in where its linker script puts them.
//
// Source: kernel/module/main.c, find_pcpusec, v6.1.
func (x *extractor) section(src *elfobj.Section) *elfobj.Section {
	name, flags := src.Name, src.Flags&^tied
	if strings.HasPrefix(name, ".data..percpu") {
		name = ".data..percpu"
	}
	key := fmt.Sprintf("%s %d %d %d", name, src.Type, flags, src.EntSize)
	s := x.sections[key]
	if s == nil {
		s = &elfobj.Section{Name: name, Type: src.Type, Flags: flags, Align: src.Align, EntSize: src.EntSize}
		x.sections[key] = s
		x.out.Sections = append(x.out.Sections, s)
	}
	s.Align = max(s.Align, src.Align)
	return s
}

// alternates gives the section of out for replacement code that was in the section of the code that it replaces.
func (x *extractor) alternates(src *elfobj.Section) *elfobj.Section {
	const name = ".altinstr_replacement"
	s := x.sections[name]
	if s == nil {
		s = &elfobj.Section{Name: name, Type: elf.SHT_PROGBITS, Flags: src.Flags &^ tied, Align: src.Align}
		x.sections[name] = s
		x.out.Sections = append(x.out.Sections, s)
	}
	return s
}

// tableSection gives the section of out that collects the entries of a table. One that is tied to the code of its owner
// (SHF_LINK_ORDER) stays so: the linker takes tied sections of a name only together.
func (x *extractor) tableSection(e unit.Entry) *elfobj.Section {
	owner := x.placed[e.Refs[0].To]
	if e.Section.Flags&elf.SHF_LINK_ORDER == 0 || owner == nil {
		return x.section(e.Section)
	}
	key := fmt.Sprintf("%s of %p", e.Section.Name, owner.Section)
	s := x.sections[key]
	if s == nil {
		s = &elfobj.Section{Name: e.Section.Name, Type: e.Section.Type, Flags: e.Section.Flags &^ elf.SHF_GROUP, Align: e.Section.Align,
			EntSize: e.Section.EntSize, Link: owner.Section}
		x.sections[key] = s
		x.out.Sections = append(x.out.Sections, s)
	}
	return s
}

// appendTo adds data at an offset that is as much aligned as the item was at start in a section of the given alignment.
func appendTo(s *elfobj.Section, data []byte, size, align, start uint64) uint64 {
	for align > 1 && start%align != 0 {
		align /= 2
	}
	at := (s.Size() + align - 1) &^ (align - 1)
	if s.Type == elf.SHT_NOBITS {
		s.NoBitsSize = at + size
		return at
	}
	s.Data = append(s.Data, make([]byte, at-uint64(len(s.Data)))...)
	s.Data = append(s.Data, data...)
	return at
}
