// Package module reads a shipped kernel module (.ko) as an image: its sections are laid out at addresses of their own
// and its relocations applied, so that run-pre matching sees a module as it sees vmlinux. It is pure.
package module

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"

	"livesplice/kmod/arch"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/vmlinux"
)

// The addresses are made up: in the kernel's range for modules, where 32-bit fields reach each other, with room between
// sections and between undefined symbols so that an offset never leads from one to the next.
const (
	base     = 0xffffffffc0000000
	external = 0xffffffffe0000000
	gap      = 1 << 12
)

// none is the relocation kind that changes nothing, R_<machine>_NONE, on every machine.
const none = 0

// Image is one shipped module.
type Image struct {
	Name    string // as lsmod shows it
	BuildID []byte // NT_GNU_BUILD_ID; nil without one

	file     []byte
	obj      *elfobj.Object
	sections []section // by address
	symbols  []vmlinux.Symbol
	byName   map[string][]vmlinux.Symbol
	byAddr   map[uint64][]vmlinux.Symbol
	init     map[uint64]bool // addresses of symbols in .init sections
	jumps    *vmlinux.JumpTable
}

type section struct {
	*elfobj.Section
	addr uint64
	data []byte // with relocations applied; nil for SHT_NOBITS
}

// Parse reads a module, already decompressed.
func Parse(file []byte) (*Image, error) {
	obj, err := elfobj.Read(file)
	if err != nil {
		return nil, err
	}
	a, err := arch.For(obj)
	if err != nil {
		return nil, err
	}
	if !a.Matched() {
		return nil, fmt.Errorf("modules of %v cannot be spliced yet", obj.Machine)
	}
	im := &Image{file: file, obj: obj, byName: map[string][]vmlinux.Symbol{}, byAddr: map[uint64][]vmlinux.Symbol{}, init: map[uint64]bool{}}
	if im.Name = info(obj, "name"); im.Name == "" {
		return nil, fmt.Errorf("section \".modinfo\": no name=: not a kernel module")
	}
	place := im.lay()
	im.readSymbols(place)
	for i := range im.sections {
		if err := im.relocate(&im.sections[i], a, place); err != nil {
			return nil, fmt.Errorf("section %q: %w", im.sections[i].Name, err)
		}
		if s := im.sections[i]; s.Name == "__jump_table" {
			im.jumps = vmlinux.ParseJumpTable(s.addr, s.data)
		}
	}
	if im.jumps == nil {
		im.jumps = &vmlinux.JumpTable{} // known to have none
	}
	return im, nil
}

// info reads the first value of a key of .modinfo; "" if it is not there.
func info(obj *elfobj.Object, key string) string {
	for _, v := range infos(obj, key) {
		return v
	}
	return ""
}

// infos reads all values of a key of .modinfo.
func infos(obj *elfobj.Object, key string) (values []string) {
	s := obj.Section(".modinfo")
	if s == nil {
		return nil
	}
	for _, pair := range bytes.Split(s.Data, []byte{0}) {
		if v, ok := strings.CutPrefix(string(pair), key+"="); ok {
			values = append(values, v)
		}
	}
	return values
}

// Release is the kernel that the module was built for: the first word of its vermagic.
func (im *Image) Release() string {
	release, _, _ := strings.Cut(info(im.obj, "vermagic"), " ")
	return release
}

// InTree says whether the module was built from the kernel's own source; modpost records that.
//
// Source: add_intree_flag, scripts/mod/modpost.c, v5.10 to v7.0.
func (im *Image) InTree() bool { return info(im.obj, "intree") == "Y" }

// Strings are the literals in the module's string sections.
func (im *Image) Strings() (out []string) {
	for _, s := range im.obj.Sections {
		if s.Flags&elf.SHF_STRINGS == 0 || !s.Alloc() {
			continue
		}
		for _, text := range bytes.Split(s.Data, []byte{0}) {
			if len(text) > 0 {
				out = append(out, string(text))
			}
		}
	}
	return out
}

// lay gives each section of the running module an address and each symbol its value.
func (im *Image) lay() map[*elfobj.Symbol]uint64 {
	at := uint64(base)
	addr := map[*elfobj.Section]uint64{}
	for _, s := range im.obj.Sections {
		if !s.Alloc() || s.Type == elf.SHT_RELA {
			continue
		}
		align := max(s.Align, gap)
		at = (at + align - 1) &^ (align - 1)
		addr[s] = at
		im.sections = append(im.sections, section{Section: s, addr: at, data: slices.Clone(s.Data)})
		if s.Name == ".note.gnu.build-id" && len(s.Data) > 16 {
			im.BuildID = s.Data[16:]
		}
		at += s.Size() + gap
	}
	place := map[*elfobj.Symbol]uint64{}
	far := uint64(external)
	undefined := map[string]uint64{}
	for _, y := range im.obj.Symbols {
		switch {
		case y.Section != nil:
			place[y] = addr[y.Section] + y.Value
		case y.Shndx == elf.SHN_ABS:
			place[y] = y.Value
		default:
			if undefined[y.Name] == 0 {
				undefined[y.Name] = far
				far += gap
			}
			place[y] = undefined[y.Name]
		}
	}
	return place
}

// readSymbols lists named symbols in the order of the module's table, which is that of its sympos.
func (im *Image) readSymbols(place map[*elfobj.Symbol]uint64) {
	for _, y := range im.obj.Symbols {
		if y.Name == "" || y.Type == elf.STT_SECTION || y.Type == elf.STT_FILE || y.Section != nil && !y.Section.Alloc() {
			continue
		}
		s := vmlinux.Symbol{Name: y.Name, Addr: place[y], Index: len(im.symbols), Type: letter(y), Absolute: y.Shndx == elf.SHN_ABS}
		im.symbols = append(im.symbols, s)
		im.byName[s.Name] = append(im.byName[s.Name], s)
		im.byAddr[s.Addr] = append(im.byAddr[s.Addr], s)
		if y.Section != nil && strings.HasPrefix(y.Section.Name, ".init") {
			im.init[s.Addr] = true
		}
	}
	sort.SliceStable(im.sections, func(i, j int) bool { return im.sections[i].addr < im.sections[j].addr })
}

// letter is nm's letter for a symbol: upper case for a global one, U for one that another object defines.
func letter(y *elfobj.Symbol) byte {
	c := byte('d')
	switch {
	case y.Section == nil && y.Shndx == elf.SHN_ABS:
		c = 'a'
	case y.Section == nil:
		return 'U'
	case y.Section.Exec():
		c = 't'
	case y.Section.Type == elf.SHT_NOBITS:
		c = 'b'
	case y.Section.Flags&elf.SHF_WRITE == 0:
		c = 'r'
	}
	switch y.Bind {
	case elf.STB_LOCAL:
		return c
	case elf.STB_WEAK:
		return 'W'
	}
	return c - 'a' + 'A'
}

// relocate applies the relocations of one section.
func (im *Image) relocate(s *section, a arch.Arch, place map[*elfobj.Symbol]uint64) error {
	if s.Rela == nil || s.data == nil {
		return nil
	}
	for _, r := range s.Rela.Relocs {
		if r.Type == none {
			continue // objtool took the instruction away
		}
		f, err := a.Field(r.Type)
		if err != nil {
			return fmt.Errorf("offset %#x: %w", r.Offset, err)
		}
		if r.Sym == nil || r.Offset+uint64(f.Size) > uint64(len(s.data)) {
			return fmt.Errorf("offset %#x: relocation outside the section or without a symbol", r.Offset)
		}
		v := place[r.Sym] + uint64(r.Addend)
		if f.PCRel {
			v -= s.addr + r.Offset
		}
		switch f.Size {
		case 4:
			binary.LittleEndian.PutUint32(s.data[r.Offset:], uint32(v))
		case 8:
			binary.LittleEndian.PutUint64(s.data[r.Offset:], v)
		}
	}
	return nil
}

// ELF is the module's file, decompressed. It must not be changed.
func (im *Image) ELF() []byte { return im.file }

// File is the module as read. It must not be changed.
func (im *Image) File() *elfobj.Object { return im.obj }

// Bytes is n bytes at an address, with relocations applied; false when they are not all in the file.
func (im *Image) Bytes(addr, n uint64) ([]byte, bool) {
	i := sort.Search(len(im.sections), func(i int) bool { return im.sections[i].addr > addr }) - 1
	if i < 0 {
		return nil, false
	}
	s := im.sections[i]
	off := addr - s.addr
	if off > uint64(len(s.data)) || n > uint64(len(s.data))-off {
		return nil, false
	}
	return s.data[off : off+n : off+n], true
}

// Lookup is every symbol of a name, in the order of the module's table; undefined ones have the letter U.
func (im *Image) Lookup(name string) []vmlinux.Symbol { return im.byName[name] }

// At is every symbol at an address.
func (im *Image) At(addr uint64) []vmlinux.Symbol { return im.byAddr[addr] }

// JumpTable is the module's __jump_table, empty when it has none.
func (im *Image) JumpTable() *vmlinux.JumpTable { return im.jumps }

// IsCode says whether a symbol names code. One of another module has the letter U, and names none that could be matched.
func (im *Image) IsCode(s vmlinux.Symbol) bool { return s.HasCodeLetter() }

// SymPos is the position by which livepatch finds a symbol of this module: 0 when no other has its name, else its
// 1-based rank in the module's symbol table. Symbols of .init sections count only while the module loads: a name that
// they share with another gives -1, which stands for no certain position.
//
// Source: kernel/module/kallsyms.c, add_kallsyms and module_kallsyms_on_each_symbol, v6.1.
func (im *Image) SymPos(s vmlinux.Symbol) int {
	rank, n := 0, 0
	for _, o := range im.byName[s.Name] {
		if o.Type == 'U' {
			continue
		}
		if im.init[o.Addr] && len(im.byName[s.Name]) > 1 {
			return -1
		}
		if n++; o.Index == s.Index {
			rank = n
		}
	}
	if n == 1 {
		return 0
	}
	return rank
}

// Place gives a symbol of the module as livepatch finds it; false for an undefined one, of which only Linked knows more.
func (im *Image) Place(s vmlinux.Symbol) (vmlinux.Place, bool) {
	return vmlinux.Place{Object: im.Name, Name: s.Name, SymPos: im.SymPos(s), Addr: s.Addr}, s.Type != 'U'
}

// Globals are the global symbols of a name that the module defines.
func (im *Image) Globals(name string) (out []vmlinux.Place) {
	for _, s := range im.Lookup(name) {
		if p, ok := im.Place(s); ok && s.Type >= 'A' && s.Type <= 'Z' {
			out = append(out, p)
		}
	}
	return out
}

// Freed says whether an address is in a section that the kernel frees once the module is loaded.
func (im *Image) Freed(addr uint64) bool {
	i := sort.Search(len(im.sections), func(i int) bool { return im.sections[i].addr > addr }) - 1
	if i < 0 {
		return false
	}
	s := im.sections[i]
	return strings.HasPrefix(s.Name, ".init") && addr-s.addr < max(s.Size(), 1)
}
