package elfobj

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strconv"
)

func sectionAt(i int) string { return "section " + strconv.Itoa(i) }
func symbolAt(i int) string  { return "symbol " + strconv.Itoa(i) }

// Write gives the object's bytes: the same object always gives the same bytes. It reports references to sections or
// symbols that are not part of the object.
func (o *Object) Write() ([]byte, error) {
	w := &writer{obj: o, order: o.Order(), secIndex: map[*Section]uint32{}, symIndex: map[*Symbol]uint32{}}
	for i, s := range o.Sections {
		w.secIndex[s] = uint32(i + 1)
	}
	w.localsFirst()
	if err := w.symtab(); err != nil {
		return nil, err
	}
	return w.file()
}

type writer struct {
	obj      *Object
	order    ByteOrder
	secIndex map[*Section]uint32
	symIndex map[*Symbol]uint32
	syms     []*Symbol // in the order of the table, without the null symbol
	locals   int       // sh_info of the symbol table: index of the first global
	tab      []byte
	extended []byte // SHT_SYMTAB_SHNDX content, when there are too many sections
	strs     strtab
}

// localsFirst puts the local symbols first. Livepatch relies on nothing else about the order, but a module's sympos is its
// order in the table, so it is kept within both halves.
func (w *writer) localsFirst() {
	for _, local := range []bool{true, false} {
		for _, s := range w.obj.Symbols {
			if (s.Bind == elf.STB_LOCAL) == local {
				w.syms = append(w.syms, s)
				w.symIndex[s] = uint32(len(w.syms))
			}
		}
		if local {
			w.locals = len(w.syms) + 1
		}
	}
}

func (w *writer) symtab() error {
	order := w.order
	w.tab = make([]byte, symSize, symSize*(len(w.syms)+1))
	many := len(w.obj.Sections)+4 >= int(elf.SHN_LORESERVE)
	if many {
		w.extended = make([]byte, 4*(len(w.syms)+1))
	}
	for i, s := range w.syms {
		shndx := uint32(s.Shndx)
		if s.Section != nil {
			k, ok := w.secIndex[s.Section]
			if !ok {
				return errf("symbol "+strconv.Quote(s.String()), "its section %q is not part of the object", s.Section.Name)
			}
			shndx = k
			if many && k >= uint32(elf.SHN_LORESERVE) {
				order.PutUint32(w.extended[4*(i+1):], k)
				shndx = uint32(elf.SHN_XINDEX)
			}
		}
		w.tab = order.AppendUint32(w.tab, w.strs.add(s.Name))
		w.tab = append(w.tab, byte(s.Bind)<<4|byte(s.Type)&15, s.Other)
		w.tab = order.AppendUint16(w.tab, uint16(shndx))
		w.tab = order.AppendUint64(w.tab, s.Value)
		w.tab = order.AppendUint64(w.tab, s.Size)
	}
	return nil
}

// body gives a section's content together with sh_link and sh_info.
func (w *writer) body(s *Section, symtab uint32) (data []byte, link, info uint32, err error) {
	order := w.order
	switch {
	case s.Type == elf.SHT_RELA:
		target, ok := w.secIndex[s.Applies]
		if !ok {
			return nil, 0, 0, errf("section "+strconv.Quote(s.Name), "the section that it relocates is not part of the object")
		}
		data = make([]byte, 0, len(s.Relocs)*relaSize)
		for i, r := range s.Relocs {
			k := w.symIndex[r.Sym]
			if r.Sym != nil && k == 0 {
				return nil, 0, 0, errf("section "+strconv.Quote(s.Name), "entry %d: symbol %q is not part of the object", i, r.Sym)
			}
			data = order.AppendUint64(data, r.Offset)
			data = order.AppendUint64(data, uint64(k)<<32|uint64(r.Type))
			data = order.AppendUint64(data, uint64(r.Addend))
		}
		return data, symtab, target, nil
	case s.Type == elf.SHT_GROUP:
		data = order.AppendUint32(nil, s.GroupFlags)
		for _, m := range s.GroupMembers {
			k, ok := w.secIndex[m]
			if !ok {
				return nil, 0, 0, errf("section "+strconv.Quote(s.Name), "member %q is not part of the object", m.Name)
			}
			data = order.AppendUint32(data, k)
		}
		return data, symtab, w.symIndex[s.Signature], nil
	case s.linkSymtab:
		return s.Data, symtab, s.rawInfo, nil
	case s.Link != nil:
		return s.Data, w.secIndex[s.Link], s.rawInfo, nil
	}
	return s.Data, 0, s.rawInfo, nil
}

func (w *writer) file() ([]byte, error) {
	n := uint32(len(w.obj.Sections))
	symtab, strs, shndx, shstrtab := n+1, n+2, uint32(0), n+3
	if w.extended != nil {
		shndx, shstrtab = n+3, n+4
	}
	var names strtab
	out := make([]byte, ehdrSize)
	hdrs := []elf.Section64{{}}
	put := func(h elf.Section64, name string, data []byte) {
		h.Name = names.add(name)
		if a := int(h.Addralign); a > 1 {
			for len(out)%a != 0 {
				out = append(out, 0)
			}
		}
		h.Off = uint64(len(out))
		if elf.SectionType(h.Type) != elf.SHT_NOBITS {
			h.Size = uint64(len(data))
			out = append(out, data...)
		}
		hdrs = append(hdrs, h)
	}
	for _, s := range w.obj.Sections {
		if s.Align > 1<<20 || s.Align&(s.Align-1) != 0 {
			return nil, errf("section "+strconv.Quote(s.Name), "alignment %#x", s.Align)
		}
		data, link, info, err := w.body(s, symtab)
		if err != nil {
			return nil, err
		}
		put(elf.Section64{Type: uint32(s.Type), Flags: uint64(s.Flags), Addr: s.Addr, Size: s.NoBitsSize, Link: link, Info: info,
			Addralign: s.Align, Entsize: s.EntSize}, s.Name, data)
	}
	put(elf.Section64{Type: uint32(elf.SHT_SYMTAB), Link: strs, Info: uint32(w.locals), Addralign: 8, Entsize: symSize}, ".symtab", w.tab)
	put(elf.Section64{Type: uint32(elf.SHT_STRTAB), Addralign: 1}, ".strtab", w.strs.bytes())
	if shndx != 0 {
		put(elf.Section64{Type: uint32(elf.SHT_SYMTAB_SHNDX), Link: symtab, Addralign: 4, Entsize: 4}, ".symtab_shndx", w.extended)
	}
	names.add(".shstrtab")
	put(elf.Section64{Type: uint32(elf.SHT_STRTAB), Addralign: 1}, ".shstrtab", names.bytes())
	return w.finish(out, hdrs, shstrtab)
}

func (w *writer) finish(out []byte, hdrs []elf.Section64, shstrtab uint32) ([]byte, error) {
	for len(out)%8 != 0 {
		out = append(out, 0)
	}
	h := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(w.obj.Machine), Version: 1, Shoff: uint64(len(out)), Flags: w.obj.Flags,
		Ehsize: ehdrSize, Shentsize: shdrSize, Shnum: uint16(len(hdrs)), Shstrndx: uint16(shstrtab)}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[4], h.Ident[5], h.Ident[6], h.Ident[7] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1, w.obj.OSABI
	if w.obj.BigEndian {
		h.Ident[5] = byte(elf.ELFDATA2MSB)
	}
	if len(hdrs) >= int(elf.SHN_LORESERVE) {
		h.Shnum, hdrs[0].Size = 0, uint64(len(hdrs))
	}
	if shstrtab >= uint32(elf.SHN_LORESERVE) {
		h.Shstrndx, hdrs[0].Link = uint16(elf.SHN_XINDEX), shstrtab
	}
	var eh, sh bytes.Buffer
	if err := binary.Write(&eh, w.order, h); err != nil {
		return nil, fmt.Errorf("ELF header: %w", err)
	}
	if err := binary.Write(&sh, w.order, hdrs); err != nil {
		return nil, fmt.Errorf("section headers: %w", err)
	}
	copy(out, eh.Bytes())
	return append(out, sh.Bytes()...), nil
}

// strtab is a string table in the making: equal strings share one place.
type strtab struct {
	data []byte
	at   map[string]uint32
}

func (t *strtab) add(s string) uint32 {
	if t.at == nil {
		t.data, t.at = []byte{0}, map[string]uint32{"": 0}
	}
	off, ok := t.at[s]
	if !ok {
		off = uint32(len(t.data))
		t.at[s] = off
		t.data = append(append(t.data, s...), 0)
	}
	return off
}

func (t *strtab) bytes() []byte {
	t.add("")
	return t.data
}
