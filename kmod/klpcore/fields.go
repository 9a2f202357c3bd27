package klpcore

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Write is one field that the kernel fills in for livepatch.
type Write struct {
	// Object is whose loading writes it: "vmlinux" for that of the update itself, else a module.
	Object  string `json:"object"`
	Section string `json:"section"` // of the update
	Offset  uint64 `json:"offset"`
	Size    uint64 `json:"size"` // bytes
	Symbol  Symbol `json:"symbol"`
	Addend  int64  `json:"addend"`
	// Relative says that the field's own address is taken off.
	Relative bool `json:"relative"`
}

// Symbol is what livepatch looks up.
type Symbol struct {
	Object string `json:"object"`
	Name   string `json:"name"`
	Pos    uint64 `json:"position"` // 0: must be the only one
}

func (y Symbol) String() string { return fmt.Sprintf("%s of %s, position %d", y.Name, y.Object, y.Pos) }

// field is one relocation of the module, whoever applies it.
type field struct {
	rela
	in     *section
	by     *section // the section of relocations
	size   uint64   // 0: nothing is written
	pcrel  bool
	object string // of a livepatch relocation; "" for one that the loader applies
	symbol Symbol // of a livepatch relocation
}

func (f field) late() bool { return f.object != "" && f.object != vmlinux }

// relocation kinds that the kernel knows: bytes written, and whether relative.
//
// Source: __apply_relocate_add, arch/x86/kernel/module.c, v5.10 to v7.2.
func kind(typ uint32) (size uint64, pcrel, ok bool) {
	const none, abs64, pc32, plt32, abs32, abs32s, pc64 = 0, 1, 2, 4, 10, 11, 24
	switch typ {
	case none:
		return 0, false, true
	case abs64:
		return 8, false, true
	case pc32, plt32:
		return 4, true, true
	case abs32, abs32s:
		return 4, false, true
	case pc64:
		return 8, true, true
	}
	return 0, false, false
}

// readFields reads the relocations of all sections that are loaded, and says what is wrong with each.
func (m *model) readFields() {
	for i := range m.sections {
		by := &m.sections[i]
		if by.typ != shtRela || by.info == 0 || int(by.info) >= len(m.sections) {
			if by.flags&shfRelaLivepatch != 0 {
				m.fail("section %q: livepatch relocations of no section", by.name)
			}
			continue
		}
		in := &m.sections[by.info]
		if !in.alloc() {
			if by.flags&shfRelaLivepatch != 0 {
				m.fail("section %q: livepatch relocations of %q, which is not loaded", by.name, in.name)
			}
			continue
		}
		object := m.objectOf(by, in)
		list, err := m.relocations(by)
		if err != nil {
			m.fail("%v", err)
			continue
		}
		for _, r := range list {
			m.readField(field{rela: r, in: in, by: by, object: object})
		}
	}
	slices.SortStableFunc(m.fields, func(a, b field) int {
		return cmp.Or(cmp.Compare(a.in.index, b.in.index), cmp.Compare(a.off, b.off))
	})
	m.once()
}

// objectOf is the object in the name of a section of livepatch relocations; "" for ordinary ones.
//
// Source: klp_apply_section_relocs, kernel/livepatch/core.c, v5.10 to v7.2: ".klp.rela.%55[^.]". Without SHF_ALLOC the section
// is gone when a module is loaded later.
func (m *model) objectOf(by, in *section) string {
	rest, named := strings.CutPrefix(by.name, ".klp.rela.")
	if by.flags&shfRelaLivepatch == 0 {
		if named {
			m.fail("section %q: without SHF_RELA_LIVEPATCH: the loader applies it at once", by.name)
		}
		return ""
	}
	object, target, ok := strings.Cut(rest, ".")
	switch {
	case !named || !ok || object == "" || len(object) > longestObject:
		m.fail("section %q: the kernel does not find an object of at most %d characters in the name", by.name, longestObject)
		return "?"
	case target != in.name:
		m.fail("section %q: is for section %q", by.name, in.name)
	case !by.alloc():
		m.fail("section %q: not loaded, so that it is gone when %s comes", by.name, object)
	}
	return object
}

func (m *model) readField(f field) {
	var ok bool
	if f.size, f.pcrel, ok = kind(f.typ); !ok {
		m.fail("section %q: relocation of kind %d at %#x, which the kernel does not know", f.by.name, f.typ, f.off)
		return
	}
	y := m.symbols[f.sym]
	if (y.shndx == shnLivepatch) != (f.object != "") {
		m.fail("section %q: relocation at %#x to %q, and livepatch symbols belong into livepatch relocations, others do not", f.by.name, f.off, y.name)
		return
	}
	if f.object != "" {
		var err error
		if f.symbol, err = m.parseSymbol(y.name); err != nil {
			m.fail("%v", err)
			return
		}
		if (f.symbol.Object == vmlinux) != (f.object == vmlinux) {
			m.fail("section %q: %s: the kernel refuses symbols of vmlinux as a module is loaded, and need not find those of modules as the update is", f.by.name, f.symbol)
		}
		if f.size == 0 {
			m.fail("section %q: relocation at %#x that writes nothing", f.by.name, f.off)
		}
	}
	if f.in.data == nil && f.size > 0 || f.off > f.in.size || f.size > f.in.size-f.off {
		m.fail("section %q: relocation at %#x is outside of %q", f.by.name, f.off, f.in.name)
		return
	}
	if f.size > 0 && len(bytes.Trim(f.in.data[f.off:f.off+f.size], "\x00")) > 0 {
		m.fail("%s+%#x: to be relocated and not empty, for which the kernel refuses the module", f.in.name, f.off)
	}
	m.fields = append(m.fields, f)
}

// once checks that no two relocations write to the same bytes: the second finds them not empty.
func (m *model) once() {
	for i := range m.fields {
		f := m.fields[i]
		for _, g := range m.fields[i+1:] {
			if g.in != f.in || g.off >= f.off+f.size {
				break
			}
			if g.size > 0 {
				m.fail("%s+%#x: written by %q and by %q", g.in.name, g.off, f.by.name, g.by.name)
			}
		}
	}
}

// parseSymbol reads the name of a livepatch symbol.
//
// Source: klp_resolve_symbols, kernel/livepatch/core.c, v5.10 to v7.2: ".klp.sym.%55[^.].%511[^,],%lu".
func (m *model) parseSymbol(name string) (y Symbol, err error) {
	rest, ok := strings.CutPrefix(name, ".klp.sym.")
	var pos string
	if ok {
		y.Object, rest, ok = strings.Cut(rest, ".")
	}
	if ok {
		y.Name, pos, ok = strings.Cut(rest, ",")
	}
	if ok {
		y.Pos, err = strconv.ParseUint(pos, 10, 32)
	}
	if !ok || err != nil || y.Object == "" || y.Name == "" {
		return y, fmt.Errorf("symbol %q: the kernel does not understand the name", name)
	}
	if longest := m.kernel.longestName(); len(y.Name) > longest || len(y.Object) > longestObject {
		return y, fmt.Errorf("symbol %q: longer than the kernel reads: %d characters for an object, %d for a name", name, longestObject, longest)
	}
	return y, nil
}
