package elfobj

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"sort"
)

// Sizes in bytes of ELF64 structures. Source: System V ABI, chapter 4.
const (
	ehdrSize = 64
	shdrSize = 64
	symSize  = 24
	relaSize = 24
)

// Read parses a relocatable ELF64 object of either byte order. The result shares memory with data, which must not be changed
// afterwards. Relocations are sorted by offset. Every error is an *Error.
func Read(data []byte) (*Object, error) {
	if len(data) < ehdrSize || string(data[:4]) != elf.ELFMAG {
		return nil, errf("header", "not an ELF file")
	}
	big := elf.Data(data[5]) == elf.ELFDATA2MSB
	if elf.Class(data[4]) != elf.ELFCLASS64 || elf.Data(data[5]) != elf.ELFDATA2LSB && !big {
		return nil, errf("header", "%v %v where a 64-bit object was expected", elf.Class(data[4]), elf.Data(data[5]))
	}
	obj := &Object{BigEndian: big, OSABI: data[7]}
	var h elf.Header64
	if err := binary.Read(bytes.NewReader(data), obj.Order(), &h); err != nil {
		return nil, errf("header", "%v", err)
	}
	if elf.Type(h.Type) != elf.ET_REL {
		return nil, errf("header", "%v where a relocatable object (ET_REL) was expected", elf.Type(h.Type))
	}
	if h.Shentsize != shdrSize {
		return nil, errf("header", "section headers of %d bytes, expected %d", h.Shentsize, shdrSize)
	}
	obj.Machine, obj.Flags = elf.Machine(h.Machine), h.Flags
	r := &reader{data: data, obj: obj, order: obj.Order()}
	if err := r.headers(h); err != nil {
		return nil, err
	}
	for _, step := range []func() error{r.sections, r.symbols, r.relocations, r.links} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return r.obj, nil
}

type reader struct {
	data  []byte
	order ByteOrder
	hdr   []elf.Section64
	names []byte
	obj   *Object
	// sec and sym map file indexes to the values made; nil where Write makes the section anew.
	sec    []*Section
	sym    []*Symbol
	symtab int
}

func (r *reader) headers(h elf.Header64) error {
	n, names := uint64(h.Shnum), uint64(h.Shstrndx)
	if h.Shoff > uint64(len(r.data)) || (n == 0 || names == uint64(elf.SHN_XINDEX)) && uint64(len(r.data))-h.Shoff < shdrSize {
		return errf("header", "section headers at offset %#x are beyond the end of the file (%#x bytes)", h.Shoff, len(r.data))
	}
	first := r.header(h.Shoff)
	if n == 0 {
		n = first.Size // more than SHN_LORESERVE sections
	}
	if names == uint64(elf.SHN_XINDEX) {
		names = uint64(first.Link)
	}
	if n > (uint64(len(r.data))-h.Shoff)/shdrSize {
		return errf("header", "%d section headers at offset %#x are beyond the end of the file (%#x bytes)", n, h.Shoff, len(r.data))
	}
	for i := uint64(0); i < n; i++ {
		r.hdr = append(r.hdr, r.header(h.Shoff+i*shdrSize))
	}
	if names >= n {
		return errf("header", "section name table %d of %d sections", names, n)
	}
	var err error
	r.names, err = r.content(int(names))
	return err
}

// header reads the section header at off; a short file gives zeroes, which the caller's bounds exclude.
func (r *reader) header(off uint64) elf.Section64 {
	if off > uint64(len(r.data)) || uint64(len(r.data))-off < shdrSize {
		return elf.Section64{}
	}
	b, order := r.data[off:], r.order
	return elf.Section64{
		Name: order.Uint32(b), Type: order.Uint32(b[4:]), Flags: order.Uint64(b[8:]), Addr: order.Uint64(b[16:]),
		Off: order.Uint64(b[24:]), Size: order.Uint64(b[32:]), Link: order.Uint32(b[40:]), Info: order.Uint32(b[44:]),
		Addralign: order.Uint64(b[48:]), Entsize: order.Uint64(b[56:]),
	}
}

func (r *reader) content(i int) ([]byte, error) {
	h := r.hdr[i]
	if elf.SectionType(h.Type) == elf.SHT_NOBITS {
		return nil, nil
	}
	if h.Off > uint64(len(r.data)) || h.Size > uint64(len(r.data))-h.Off {
		return nil, errf(sectionAt(i), "content [%#x, +%#x) is beyond the end of the file (%#x bytes)", h.Off, h.Size, len(r.data))
	}
	return r.data[h.Off : h.Off+h.Size : h.Off+h.Size], nil
}

func (r *reader) sections() error {
	r.sec = make([]*Section, len(r.hdr))
	symtabs := 0
	for i, h := range r.hdr {
		if elf.SectionType(h.Type) == elf.SHT_SYMTAB {
			r.symtab = i
			symtabs++
		}
	}
	if symtabs != 1 {
		return errf("header", "%d symbol tables, expected one", symtabs)
	}
	anew := map[int]bool{0: true, r.symtab: true, int(r.hdr[r.symtab].Link): true}
	for i, h := range r.hdr {
		name, ok := cstring(r.names, uint64(h.Name))
		if !ok {
			return errf(sectionAt(i), "name at offset %#x of a table of %#x bytes", h.Name, len(r.names))
		}
		typ := elf.SectionType(h.Type)
		if anew[i] || typ == elf.SHT_STRTAB && !anew[i] && (name == ".shstrtab" || name == ".strtab") || typ == elf.SHT_SYMTAB_SHNDX {
			continue
		}
		data, err := r.content(i)
		if err != nil {
			return err
		}
		s := &Section{Name: name, Type: typ, Flags: elf.SectionFlag(h.Flags), Addr: h.Addr, Align: h.Addralign, EntSize: h.Entsize, Data: data}
		switch typ {
		case elf.SHT_NOBITS:
			s.NoBitsSize = h.Size
		case elf.SHT_REL:
			return errf(sectionAt(i), "%q holds REL relocations: only RELA is known for 64-bit objects", name)
		}
		r.sec[i] = s
		r.obj.Sections = append(r.obj.Sections, s)
	}
	return nil
}

func (r *reader) symbols() error {
	tab, err := r.content(r.symtab)
	if err != nil {
		return err
	}
	if len(tab)%symSize != 0 || len(tab) == 0 {
		return errf("symbol table", "%d bytes, not a multiple of %d", len(tab), symSize)
	}
	link := int(r.hdr[r.symtab].Link)
	if link <= 0 || link >= len(r.hdr) {
		return errf("symbol table", "string table %d of %d sections", link, len(r.hdr))
	}
	strs, err := r.content(link)
	if err != nil {
		return err
	}
	var extended []byte
	for i, h := range r.hdr {
		if elf.SectionType(h.Type) == elf.SHT_SYMTAB_SHNDX {
			if extended, err = r.content(i); err != nil {
				return err
			}
		}
	}
	n := len(tab) / symSize
	all := make([]Symbol, n)
	r.sym = make([]*Symbol, n)
	r.obj.Symbols = make([]*Symbol, 0, n-1)
	for i := 1; i < n; i++ {
		b, order := tab[i*symSize:], r.order
		s := &all[i]
		name, ok := cstring(strs, uint64(order.Uint32(b)))
		if !ok {
			return errf(symbolAt(i), "name at offset %#x of a table of %#x bytes", order.Uint32(b), len(strs))
		}
		*s = Symbol{Name: name, Bind: elf.SymBind(b[4] >> 4), Type: elf.SymType(b[4] & 15), Other: b[5], Value: order.Uint64(b[8:]), Size: order.Uint64(b[16:])}
		shndx := uint32(order.Uint16(b[6:]))
		if shndx == uint32(elf.SHN_XINDEX) {
			if len(extended) < 4*(i+1) {
				return errf(symbolAt(i), "%q: extended section index is missing", name)
			}
			shndx = order.Uint32(extended[4*i:])
		} else if shndx >= uint32(elf.SHN_LORESERVE) || shndx == 0 {
			s.Shndx = elf.SectionIndex(shndx)
			r.add(i, s)
			continue
		}
		if int64(shndx) >= int64(len(r.hdr)) || r.sec[shndx] == nil {
			return errf(symbolAt(i), "%q: section %d of %d", name, shndx, len(r.hdr))
		}
		s.Section = r.sec[shndx]
		r.add(i, s)
	}
	return nil
}

func (r *reader) add(i int, s *Symbol) {
	r.sym[i] = s
	r.obj.Symbols = append(r.obj.Symbols, s)
}

func (r *reader) relocations() error {
	for i, s := range r.sec {
		if s == nil || s.Type != elf.SHT_RELA {
			continue
		}
		target := int(r.hdr[i].Info)
		if int(r.hdr[i].Link) != r.symtab || target <= 0 || target >= len(r.sec) || r.sec[target] == nil {
			return errf(sectionAt(i), "%q: relocates section %d through symbol table %d", s.Name, target, r.hdr[i].Link)
		}
		if len(s.Data)%relaSize != 0 {
			return errf(sectionAt(i), "%q: %d bytes, not a multiple of %d", s.Name, len(s.Data), relaSize)
		}
		s.Applies = r.sec[target]
		if s.Flags&ShfRelaLivepatch == 0 {
			s.Applies.Rela = s
		}
		s.Relocs = make([]Reloc, len(s.Data)/relaSize)
		size := s.Applies.unpacked(r.order)
		sorted := true
		for j := range s.Relocs {
			b, order := s.Data[j*relaSize:], r.order
			info := order.Uint64(b[8:])
			k := info >> 32
			if k >= uint64(len(r.sym)) {
				return errf(sectionAt(i), "%q: entry %d: symbol %d of %d", s.Name, j, k, len(r.sym))
			}
			rel := Reloc{Offset: order.Uint64(b), Type: uint32(info), Sym: r.sym[k], Addend: int64(order.Uint64(b[16:]))}
			if rel.Offset >= size {
				return errf(sectionAt(i), "%q: entry %d: offset %#x in a section of %#x bytes", s.Name, j, rel.Offset, size)
			}
			sorted = sorted && (j == 0 || s.Relocs[j-1].Offset <= rel.Offset)
			s.Relocs[j] = rel
		}
		if !sorted {
			sort.SliceStable(s.Relocs, func(a, b int) bool { return s.Relocs[a].Offset < s.Relocs[b].Offset })
		}
		s.Data = nil
	}
	return nil
}

// unpacked is the size of a section's content, also of one that is compressed (.debug_info by gcc's -gz): its data begin with an
// Elf64_Chdr, whose second word of 8 bytes that is.
func (s *Section) unpacked(order binary.ByteOrder) uint64 {
	const chdrSize = 24
	if s.Flags&elf.SHF_COMPRESSED == 0 || len(s.Data) < chdrSize {
		return s.Size()
	}
	return order.Uint64(s.Data[8:])
}

// links follows sh_link and sh_info of the remaining sections.
func (r *reader) links() error {
	for i, s := range r.sec {
		if s == nil || s.Type == elf.SHT_RELA {
			continue
		}
		h := r.hdr[i]
		switch {
		case s.Type == elf.SHT_GROUP:
			if err := r.group(i, s); err != nil {
				return err
			}
		case int(h.Link) == r.symtab:
			s.linkSymtab, s.rawInfo = true, h.Info
		case h.Link != 0:
			if int64(h.Link) >= int64(len(r.sec)) || r.sec[h.Link] == nil {
				return errf(sectionAt(i), "%q: linked to section %d of %d", s.Name, h.Link, len(r.sec))
			}
			s.Link, s.rawInfo = r.sec[h.Link], h.Info
		default:
			s.rawInfo = h.Info
		}
	}
	return nil
}

func (r *reader) group(i int, s *Section) error {
	h := r.hdr[i]
	if len(s.Data) < 4 || len(s.Data)%4 != 0 || int64(h.Info) >= int64(len(r.sym)) {
		return errf(sectionAt(i), "%q: group of %d bytes with signature symbol %d", s.Name, len(s.Data), h.Info)
	}
	s.Signature = r.sym[h.Info]
	s.GroupFlags = r.order.Uint32(s.Data)
	for off := 4; off < len(s.Data); off += 4 {
		k := r.order.Uint32(s.Data[off:])
		if int64(k) >= int64(len(r.sec)) || r.sec[k] == nil {
			return errf(sectionAt(i), "%q: member %d of %d sections", s.Name, k, len(r.sec))
		}
		s.GroupMembers = append(s.GroupMembers, r.sec[k])
	}
	return nil
}

func cstring(table []byte, off uint64) (string, bool) {
	if off == 0 && len(table) == 0 {
		return "", true
	}
	if off >= uint64(len(table)) {
		return "", false
	}
	n := bytes.IndexByte(table[off:], 0)
	if n < 0 {
		return "", false
	}
	return string(table[off : off+uint64(n)]), true
}
