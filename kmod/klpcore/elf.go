package klpcore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// What ELF says of relocatable files for x86-64.
//
// Source: System V ABI, chapter 4; include/uapi/linux/elf.h, v6.1, for what livepatch adds.
const (
	shtProgbits, shtSymtab, shtRela, shtNobits = 1, 2, 4, 8

	shfWrite, shfAlloc, shfExec = 1, 2, 4
	shfRelaLivepatch            = 0x00100000

	shnUndef, shnLoReserve, shnLivepatch, shnAbs, shnXindex = 0, 0xff00, 0xff20, 0xfff1, 0xffff

	stbLocal, stbWeak               = 0, 2
	sttObject, sttFunc, sttSection  = 1, 2, 3
	ehdrSize, shdrSize, symSize     = 64, 64, 24
	relaSize                        = 24
	typeRel, machineX86, class64LSB = 1, 62, "\x7fELF\x02\x01"
)

var le = binary.LittleEndian

// file is a relocatable ELF file as its headers say, nothing interpreted.
type file struct {
	sections []section
	symbols  []symbol
	symtab   int // index of the section
}

type section struct {
	index           int
	name            string
	typ, link, info uint32
	flags, size     uint64
	data            []byte // nil for SHT_NOBITS
	relas           []int  // indices of the sections that relocate this one
	_               struct{}
}

func (s *section) alloc() bool { return s.flags&shfAlloc != 0 }
func (s *section) exec() bool  { return s.flags&shfExec != 0 }

type symbol struct {
	name        string
	bind, typ   byte
	shndx       uint16
	value, size uint64
}

// in is the index of the section that a symbol is in; 0 for none.
func (y symbol) in() int {
	if y.shndx >= shnLoReserve {
		return 0
	}
	return int(y.shndx)
}

type rela struct {
	off    uint64
	typ    uint32
	sym    int
	addend int64
}

var errShort = errors.New("shorter than its headers say")

// part is n bytes of b at an offset.
func part(b []byte, off, n uint64) ([]byte, error) {
	if off > uint64(len(b)) || n > uint64(len(b))-off {
		return nil, errShort
	}
	return b[off : off+n : off+n], nil
}

// text is a NUL-terminated string of a table.
func text(table []byte, off uint64) (string, error) {
	if off >= uint64(len(table)) {
		return "", errShort
	}
	s, _, ok := bytes.Cut(table[off:], []byte{0})
	if !ok {
		return "", errShort
	}
	return string(s), nil
}

// readELF reads section headers and symbols.
func readELF(b []byte) (*file, error) {
	h, err := part(b, 0, ehdrSize)
	if err != nil {
		return nil, err
	}
	if string(h[:6]) != class64LSB || le.Uint16(h[16:]) != typeRel || le.Uint16(h[18:]) != machineX86 {
		return nil, errors.New("not a relocatable ELF file for x86-64")
	}
	n, off, names := uint64(le.Uint16(h[60:])), le.Uint64(h[40:]), int(le.Uint16(h[62:]))
	if le.Uint16(h[58:]) != shdrSize || n == 0 || n >= shnLoReserve || names >= int(n) {
		return nil, fmt.Errorf("%d section headers, the names in that of index %d", n, names)
	}
	headers, err := part(b, off, n*shdrSize)
	if err != nil {
		return nil, err
	}
	f := &file{sections: make([]section, n)}
	for i := range f.sections {
		if err := f.readSection(b, headers[i*shdrSize:][:shdrSize], i); err != nil {
			return nil, fmt.Errorf("section header %d: %w", i, err)
		}
	}
	for i := range f.sections {
		s := &f.sections[i]
		if s.name, err = text(f.sections[names].data, uint64(le.Uint32(headers[i*shdrSize:]))); err != nil && i > 0 {
			return nil, fmt.Errorf("name of section %d: %w", i, err)
		}
		if s.typ == shtRela && s.info > 0 && uint64(s.info) < n {
			f.sections[s.info].relas = append(f.sections[s.info].relas, i)
		}
	}
	return f, f.readSymbols()
}

func (f *file) readSection(b, h []byte, i int) (err error) {
	s := &f.sections[i]
	s.index, s.typ, s.flags, s.size = i, le.Uint32(h[4:]), le.Uint64(h[8:]), le.Uint64(h[32:])
	s.link, s.info = le.Uint32(h[40:]), le.Uint32(h[44:])
	if i > 0 && s.typ != shtNobits && s.typ != 0 {
		s.data, err = part(b, le.Uint64(h[24:]), s.size)
	}
	return err
}

func (f *file) readSymbols() error {
	for i := range f.sections {
		s := &f.sections[i]
		if s.typ != shtSymtab {
			continue
		}
		if f.symtab != 0 || int(s.link) >= len(f.sections) || s.size%symSize != 0 {
			return fmt.Errorf("section %q: a second symbol table, or one without names", s.name)
		}
		f.symtab = i
		for d := s.data; len(d) >= symSize; d = d[symSize:] {
			y := symbol{bind: d[4] >> 4, typ: d[4] & 0xf, shndx: le.Uint16(d[6:]), value: le.Uint64(d[8:]), size: le.Uint64(d[16:])}
			var err error
			if y.name, err = text(f.sections[s.link].data, uint64(le.Uint32(d))); err != nil {
				return fmt.Errorf("symbol %d: %w", len(f.symbols), err)
			}
			if y.shndx == shnXindex || y.in() >= len(f.sections) {
				return fmt.Errorf("symbol %d: in section %d", len(f.symbols), y.shndx)
			}
			f.symbols = append(f.symbols, y)
		}
	}
	if f.symtab == 0 {
		return errors.New("no symbol table")
	}
	return nil
}

// relocations reads one section of them.
func (f *file) relocations(s *section) (out []rela, err error) {
	if int(s.link) != f.symtab || s.size%relaSize != 0 {
		return nil, fmt.Errorf("section %q: relocations of another symbol table, or of another size", s.name)
	}
	for d := s.data; len(d) >= relaSize; d = d[relaSize:] {
		info := le.Uint64(d[8:])
		r := rela{off: le.Uint64(d), typ: uint32(info), sym: int(info >> 32), addend: int64(le.Uint64(d[16:]))}
		if r.sym >= len(f.symbols) {
			return nil, fmt.Errorf("section %q: relocation %d: symbol %d of %d", s.name, len(out), r.sym, len(f.symbols))
		}
		out = append(out, r)
	}
	return out, nil
}

// modinfo gives the values of a key in .modinfo.
func (f *file) modinfo(key string) (values []string) {
	for i := range f.sections {
		if f.sections[i].name != ".modinfo" {
			continue
		}
		for _, pair := range bytes.Split(f.sections[i].data, []byte{0}) {
			if v, ok := bytes.CutPrefix(pair, []byte(key+"=")); ok {
				values = append(values, string(v))
			}
		}
	}
	return values
}
