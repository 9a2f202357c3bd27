// Package vmlinux reads a shipped kernel image as data: its memory at link-time addresses, the symbol table that
// kallsyms embeds in it, its exports, and the sympos by which livepatch names a symbol. It is pure: bytes in, value
// out. Holds for 64-bit little-endian kernels from 5.10 to 7.x.
package vmlinux

import (
	"debug/elf"
	"errors"
)

// An Image is a parsed vmlinux. It keeps the bytes it was made from, and must be the only one to change them: Bytes
// hands out parts of them. It is read-only after Parse and safe for concurrent use.
type Image struct {
	Machine elf.Machine
	BuildID []byte // NT_GNU_BUILD_ID of .notes; nil when the image has none
	Banner  string // linux_banner, "Linux version 6.1.0-54-amd64 (...) ... (gcc-12 ...) #1 SMP ...", no newline
	Layout  Layout // how its kallsyms tables are laid out

	raw      []byte
	sections []Section
	symbols  []Symbol
	exports  []Export
}

// Layout is the shape of an image's kallsyms tables, as found.
type Layout struct {
}

// A Section is one allocated section of the image.
type Section struct {
	Name        string
	Addr        uint64 // link-time address; 0-based for .data..percpu before 6.15
	Size        uint64
	Exec, Write bool
	NoBits      bool // no bytes in the file: .bss, .brk, ...
}

// A Symbol is one entry of the kernel's kallsyms table.
type Symbol struct {
	Name     string
	Addr     uint64 // link-time address, or the per-CPU offset when Absolute
	Index    int    // 0-based position in the kallsyms table
	Type     byte   // nm's letter as /proc/kallsyms prints it: t, T, d, D, b, r, W, A, ...
	Absolute bool   // KASLR does not move it: a 0-based per-CPU offset
}

// An Export is an entry of the kernel's export tables.
type Export struct {
	Name      string
	Addr      uint64
	GPL       bool
	Namespace string // "" for none
}

// Parse reads a vmlinux: the stripped one out of a vmlinuz, or one from the build with everything in it.
func Parse(elf []byte) (*Image, error) { return nil, errors.New("not yet built") }

// Bytes is the n bytes at the link-time address addr, as the image file has them. It fails when the range is not
// wholly inside one section with bytes in the file. The slice shares the image's memory.
func (im *Image) Bytes(addr, n uint64) ([]byte, bool) { return nil, false }

// Section is the section that holds the address.
func (im *Image) Section(addr uint64) (Section, bool) { return Section{}, false }

// SectionByName is the first section of that name.
func (im *Image) SectionByName(name string) (Section, bool) { return Section{}, false }

// Sections is every allocated section, by address. The slice is the image's own.
func (im *Image) Sections() []Section { return im.sections }

// Symbols is the whole table in kallsyms order: ascending addresses, the kernel's own order for equal ones. The slice
// is the image's own.
func (im *Image) Symbols() []Symbol { return im.symbols }

// Lookup is every symbol of that name, in kallsyms order.
func (im *Image) Lookup(name string) []Symbol { return nil }

// At is every symbol exactly at the address, in kallsyms order. The slice is a part of Symbols.
func (im *Image) At(addr uint64) []Symbol { return nil }

// Covering is the symbol at or before the address (the first of its aliases), and its size: the distance to the next
// distinct address.
func (im *Image) Covering(addr uint64) (s Symbol, size uint64, ok bool) { return Symbol{}, 0, false }

// SymPos is the position by which livepatch finds the symbol: 0 when its name is unique, else its 1-based rank.
func (im *Image) SymPos(s Symbol) int { return 0 }

// HasData tells whether the table holds data symbols, that is CONFIG_KALLSYMS_ALL.
func (im *Image) HasData() bool { return false }

// Exports is every export, by name. The slice is the image's own.
func (im *Image) Exports() []Export { return im.exports }

// Export is the export of that name.
func (im *Image) Export(name string) (Export, bool) { return Export{}, false }
