// Package elfobj is the object model of relocatable ELF64 files: kernel objects (.o) and modules (.ko) are read whole,
// changed as plain values, and written back.
//
// Positions in the file (section indexes, string tables, offsets) exist only while reading and writing. In between,
// symbols, sections and relocations refer to each other by pointer.
package elfobj

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"sort"
)

// Constants of the kernel's livepatch ABI that package debug/elf does not know.
//
// Source: include/uapi/linux/elf.h and Documentation/livepatch/module-elf-format.rst, v6.1.
const (
	// ShnLivepatch is the section index of a symbol that the kernel resolves by name and sympos.
	ShnLivepatch = 0xff20
	// ShfRelaLivepatch marks a relocation section that livepatch applies, not the module loader.
	ShfRelaLivepatch = 0x00100000
)

// Object is one relocatable file. Sections and Symbols leave out the null entries at index 0 and the sections that
// Write makes anew: symbol table, its string table, section name table.
type Object struct {
	Machine elf.Machine
	// BigEndian is the byte order of the file and of the machine's data: s390x has it.
	BigEndian bool
	OSABI     byte
	Flags     uint32 // e_flags
	// Sections in file order. A relocation section stands in the list like any other.
	Sections []*Section
	// Symbols in file order; Write puts the local ones first, as the ELF ABI requires, and keeps the order otherwise.
	Symbols []*Symbol
}

// Order is the byte order of the object.
func (o *Object) Order() ByteOrder {
	if o.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// ByteOrder reads, writes and appends numbers.
type ByteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// Section is one section and, for a relocation section, its entries.
type Section struct {
	Name    string
	Type    elf.SectionType
	Flags   elf.SectionFlag
	Addr    uint64
	Align   uint64
	EntSize uint64
	// Data is the content; nil for SHT_NOBITS, and for SHT_RELA, whose content is Relocs.
	Data []byte
	// NoBitsSize is the size in bytes of an SHT_NOBITS section, which has no content in the file.
	NoBitsSize uint64

	// Relocs are the entries of an SHT_RELA section, in file order.
	Relocs []Reloc
	// Applies is the section that an SHT_RELA section changes.
	Applies *Section
	// Rela is, for any other section, the SHT_RELA section that the linker or module loader applies to it; nil when
	// there is none. Livepatch relocation sections are not reachable this way: a section can have several.
	Rela *Section
	// Link is the section that sh_link names when it is one of Sections (SHF_LINK_ORDER); the symbol table is implied.
	Link *Section

	// GroupFlags and GroupMembers describe an SHT_GROUP section; Signature is the symbol that names the group.
	GroupFlags   uint32
	GroupMembers []*Section
	Signature    *Symbol
	// linkSymtab and rawInfo keep what a section of a type unknown here had in sh_link and sh_info.
	linkSymtab bool
	rawInfo    uint32
}

// Symbol is one entry of the symbol table.
type Symbol struct {
	Name  string
	Value uint64 // offset in Section; alignment for a common symbol
	Size  uint64 // bytes
	Bind  elf.SymBind
	Type  elf.SymType
	Other byte // st_other: visibility and machine-specific bits
	// Section is where the symbol is defined; nil when Shndx says it all.
	Section *Section
	// Shndx is the special section index of a symbol without Section: SHN_UNDEF, SHN_ABS, SHN_COMMON, ShnLivepatch.
	Shndx elf.SectionIndex
}

// Reloc is one RELA entry.
type Reloc struct {
	Offset uint64 // of the field in the section that it changes
	Type   uint32 // machine-specific, R_X86_64_PC32 and so on
	Sym    *Symbol
	Addend int64
}

// Size is the section's size in bytes in memory.
func (s *Section) Size() uint64 {
	switch s.Type {
	case elf.SHT_NOBITS:
		return s.NoBitsSize
	case elf.SHT_RELA:
		return uint64(len(s.Relocs)) * relaSize
	}
	return uint64(len(s.Data))
}

// Alloc says whether the section occupies memory in the running kernel.
func (s *Section) Alloc() bool { return s.Flags&elf.SHF_ALLOC != 0 }

// Exec says whether the section holds code.
func (s *Section) Exec() bool { return s.Flags&elf.SHF_EXECINSTR != 0 }

// Strings says whether the section holds mergeable NUL-terminated strings.
func (s *Section) Strings() bool {
	return s.Flags&elf.SHF_MERGE != 0 && s.Flags&elf.SHF_STRINGS != 0
}

// RelocsIn gives the relocations of s whose fields begin in [start, end), in ascending order of offset. The caller
// must not change them. It relies on SortRelocs having run, which Read does.
func (s *Section) RelocsIn(start, end uint64) []Reloc {
	if s.Rela == nil {
		return nil
	}
	r := s.Rela.Relocs
	lo := sort.Search(len(r), func(i int) bool { return r[i].Offset >= start })
	hi := lo + sort.Search(len(r)-lo, func(i int) bool { return r[lo+i].Offset >= end })
	return r[lo:hi]
}

// Defined says whether the symbol has a place in this object.
func (s *Symbol) Defined() bool { return s.Section != nil }

// Undefined says whether the symbol must be found elsewhere.
func (s *Symbol) Undefined() bool { return s.Section == nil && s.Shndx == elf.SHN_UNDEF }

func (s *Symbol) String() string {
	if s.Name == "" && s.Section != nil {
		return s.Section.Name
	}
	return s.Name
}

// Section gives the first section of that name, or nil.
func (o *Object) Section(name string) *Section {
	for _, s := range o.Sections {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Symbol gives the first symbol of that name, or nil.
func (o *Object) Symbol(name string) *Symbol {
	for _, s := range o.Symbols {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// SectionSymbol gives the STT_SECTION symbol of s, making it when the object has none.
func (o *Object) SectionSymbol(s *Section) *Symbol {
	for _, y := range o.Symbols {
		if y.Type == elf.STT_SECTION && y.Section == s {
			return y
		}
	}
	y := &Symbol{Type: elf.STT_SECTION, Bind: elf.STB_LOCAL, Section: s}
	o.Symbols = append(o.Symbols, y)
	return y
}

// AddRela gives the relocation section of s, making it when there is none.
func (o *Object) AddRela(s *Section) *Section {
	if s.Rela == nil {
		s.Rela = &Section{Name: ".rela" + s.Name, Type: elf.SHT_RELA, Flags: elf.SHF_INFO_LINK, Align: 8, EntSize: relaSize, Applies: s}
		o.Sections = append(o.Sections, s.Rela)
	}
	return s.Rela
}

// Error says what is wrong with an object's bytes, and where.
type Error struct {
	Where string // "section 12", "symbol 7", ...
	What  string
}

func (e *Error) Error() string { return e.Where + ": " + e.What }

func errf(where, format string, args ...any) error {
	return &Error{Where: where, What: fmt.Sprintf(format, args...)}
}
