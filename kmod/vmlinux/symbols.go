package vmlinux

import (
	"sort"
	"strings"
)

// A Symbol is one entry of the kernel's kallsyms table.
type Symbol struct {
	Name     string
	Addr     uint64 // link-time address; a per-CPU offset when Absolute
	Index    int    // 0-based position in the table
	Type     byte   // nm's letter, as /proc/kallsyms prints it: t T d D b B r R w W V A ...
	Absolute bool   // KASLR does not move it: a 0-based per-CPU offset
}

// Symbols is the whole table in its order: ascending addresses, those of equal address in the kernel's own order (weak
// ones last; see compare_symbols in scripts/kallsyms.c). The slice is the image's own.
func (im *Image) Symbols() []Symbol { return im.symbols }

// HasData tells whether the table holds data symbols, which is CONFIG_KALLSYMS_ALL: without it there is only text.
// linux_banner is a datum of every kernel.
func (im *Image) HasData() bool {
	_, ok := im.first["linux_banner"]
	return ok
}

// Lookup is every symbol of that name, in kallsyms order; nil when there is none.
func (im *Image) Lookup(name string) []Symbol {
	i, ok := im.first[name]
	if !ok {
		return nil
	}
	var all []Symbol
	for ; i >= 0; i = im.next[i] {
		all = append(all, im.symbols[i])
	}
	return all
}

// At is every symbol exactly at the address, in kallsyms order. The slice is a part of Symbols.
func (im *Image) At(addr uint64) []Symbol {
	from := im.search(addr)
	to := from
	for to < len(im.symbols) && im.symbols[to].Addr == addr {
		to++
	}
	return im.symbols[from:to:to]
}

// search is the position of the first symbol at or after the address.
func (im *Image) search(addr uint64) int {
	return sort.Search(len(im.symbols), func(i int) bool { return im.symbols[i].Addr >= addr })
}

// Covering is the symbol that holds the address, the first of its aliases, and its size: what lies between it and the
// next distinct address, padding included, but not beyond the end of its section. It is false in front of the first
// symbol, and where the section has ended.
func (im *Image) Covering(addr uint64) (s Symbol, size uint64, ok bool) {
	next := len(im.symbols)
	if addr < 1<<64-1 {
		next = im.search(addr + 1)
	}
	if next == 0 {
		return Symbol{}, 0, false
	}
	s = im.symbols[im.search(im.symbols[next-1].Addr)]
	section, inside := im.Section(s.Addr)
	if !inside {
		return Symbol{}, 0, false
	}
	size = section.Addr + section.Size - s.Addr
	if next < len(im.symbols) {
		size = min(size, im.symbols[next].Addr-s.Addr)
	}
	if addr-s.Addr >= size {
		return Symbol{}, 0, false
	}
	return s, size, true
}

// SymPos is the position by which livepatch finds a symbol of vmlinux: 0 when no other has its name, else its 1-based
// rank among them. s must come from this image.
//
// Kernels count in two ways. Up to 6.1, klp_find_object_symbol walks the whole table in its order
// (kallsyms_on_each_symbol). Since 6.2 it walks the symbols of that name in the order of kallsyms_seqs_of_names
// (kallsyms_on_each_match_symbol), which scripts/kallsyms.c sorts by name, then address, then position in the table. As
// the table itself ascends by address, both ways agree; Layout.SeqsOfNames tells that this was checked on the image.
// Neither finds a symbol at address 0: the first per-CPU one where these begin at 0.
// Source: kernel/livepatch/core.c, klp_find_object_symbol, v5.10, v6.1, v6.12, v7.2.
func (im *Image) SymPos(s Symbol) int {
	first, ok := im.first[s.Name]
	if !ok || im.next[first] < 0 {
		return 0
	}
	rank := 1
	for i := first; i >= 0 && int(i) != s.Index; i = im.next[i] {
		rank++
	}
	return rank
}

// IsCode says whether a symbol names code: nm gives it the letter of code, and it lies in a section that nobody writes to. The
// linker makes all of .data executable for one input section that is so, as in Debian's 7.2.13, whose data has the letters of
// code.
func (im *Image) IsCode(s Symbol) bool {
	sec, ok := im.Section(s.Addr)
	return s.HasCodeLetter() && !(ok && sec.Write)
}

// HasCodeLetter says whether nm's letter for a symbol is one of code: t, or w for a weak one.
func (s Symbol) HasCodeLetter() bool { return strings.IndexByte("tTwW", s.Type) >= 0 }
