package vmlinux

import (
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"sort"
)

// A Section is one allocated section of the image.
type Section struct {
	Name        string
	Addr        uint64 // link-time address; that of .data..percpu is 0 on x86_64 up to 6.12, not in 7.2
	Size        uint64 // bytes
	Exec, Write bool
	NoBits      bool // no bytes in the file: .bss, .brk, .orc_lookup

	offset uint64 // of its bytes in the file
}

// Sections is every allocated section, by address. The slice is the image's own.
func (im *Image) Sections() []Section { return im.sections }

// SectionByName is the first section of that name.
func (im *Image) SectionByName(name string) (Section, bool) {
	i := slices.IndexFunc(im.sections, func(s Section) bool { return s.Name == name })
	if i < 0 {
		return Section{}, false
	}
	return im.sections[i], true
}

// Section is the section that holds the address.
func (im *Image) Section(addr uint64) (Section, bool) {
	i := sort.Search(len(im.sections), func(i int) bool { return im.sections[i].Addr > addr }) - 1
	if i < 0 || addr-im.sections[i].Addr >= im.sections[i].Size {
		return Section{}, false
	}
	return im.sections[i], true
}

// Bytes is the n bytes at the link-time address, as the file has them: before the kernel relocates and patches itself.
// It is false when they do not all lie within one section that has bytes in the file. The slice is a part of the image.
func (im *Image) Bytes(addr, n uint64) ([]byte, bool) {
	s, ok := im.Section(addr)
	if !ok || s.NoBits || n > s.Size-(addr-s.Addr) {
		return nil, false
	}
	from := s.offset + (addr - s.Addr)
	return im.raw[from : from+n : from+n], true
}

// data is all bytes of a section, none for NoBits.
func (im *Image) data(s Section) []byte {
	if s.NoBits {
		return nil
	}
	return im.raw[s.offset : s.offset+s.Size : s.offset+s.Size]
}

// readELF fills in machine, sections and build-id.
func (im *Image) readELF() (err error) {
	// debug/elf is hardened against corrupt files, but does not promise not to panic.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("ELF: corrupt: %v", r)
		}
	}()
	file, err := elf.NewFile(bytes.NewReader(im.raw))
	if err != nil {
		return fmt.Errorf("ELF: %w", err)
	}
	if file.Class != elf.ELFCLASS64 || file.Data != elf.ELFDATA2LSB {
		return fmt.Errorf("ELF: %v, %v: only 64-bit little-endian kernels are known", file.Class, file.Data)
	}
	if file.Type != elf.ET_EXEC && file.Type != elf.ET_DYN {
		return fmt.Errorf("ELF: type %v, a linked kernel is %v or %v", file.Type, elf.ET_EXEC, elf.ET_DYN)
	}
	im.Machine = file.Machine
	var total uint64
	for _, s := range file.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 || s.Size == 0 {
			continue
		}
		section := Section{
			Name: s.Name, Addr: s.Addr, Size: s.Size, offset: s.Offset,
			Exec:   s.Flags&elf.SHF_EXECINSTR != 0,
			Write:  s.Flags&elf.SHF_WRITE != 0,
			NoBits: s.Type == elf.SHT_NOBITS,
		}
		if section.Addr+section.Size < section.Addr {
			return fmt.Errorf("section %q: %#x bytes at %#x end beyond the address space", s.Name, s.Size, s.Addr)
		}
		if !section.NoBits && (s.Offset > uint64(len(im.raw)) || s.Size > uint64(len(im.raw))-s.Offset) {
			return fmt.Errorf("section %q: %#x bytes at file offset %#x, the file ends at %#x",
				s.Name, s.Size, s.Offset, len(im.raw))
		}
		im.sections = append(im.sections, section)
		if !section.NoBits {
			total += s.Size
		}
		if s.Type == elf.SHT_NOTE && im.BuildID == nil {
			im.BuildID = readBuildID(im.data(section))
		}
	}
	if len(im.sections) == 0 {
		return errors.New("ELF: no section headers")
	}
	if total > uint64(len(im.raw)) {
		return fmt.Errorf("ELF: sections overlap: %#x bytes in a file of %#x", total, len(im.raw))
	}
	slices.SortStableFunc(im.sections, func(a, b Section) int { return cmp.Compare(a.Addr, b.Addr) })
	return nil
}
