package vmlinux

import "strings"

// Constant finds the symbol from which livepatch can reach n bytes of the image that nobody writes to after the link and that
// stay for as long as the kernel runs: the nearest one in front of them in their section. It is false for other bytes, such as
// those that are read-only only after boot, and where there is no such symbol.
//
// Source: RO_DATA, include/asm-generic/vmlinux.lds.h, v5.10 to v7.2.
func (im *Image) Constant(addr, n uint64) (Symbol, bool) {
	if !im.within("__start_rodata", "__end_rodata", addr, n) || im.touches("__start_ro_after_init", "__end_ro_after_init", addr, n) {
		return Symbol{}, false
	}
	sec, ok := im.Section(addr)
	if !ok || sec.NoBits || n > sec.Size-(addr-sec.Addr) {
		return Symbol{}, false
	}
	for i := im.search(addr+1) - 1; i >= 0 && im.symbols[i].Addr >= sec.Addr; i-- {
		if s := im.symbols[i]; !s.Absolute && KlpName(s.Name) {
			return s, true
		}
	}
	return Symbol{}, false
}

// within says whether a range lies between two symbols that are there once.
func (im *Image) within(start, end string, addr, n uint64) bool {
	a, b := im.Lookup(start), im.Lookup(end)
	return len(a) == 1 && len(b) == 1 && addr >= a[0].Addr && addr <= b[0].Addr && n <= b[0].Addr-addr
}

// touches says whether a range may have bytes between two symbols: also when these are not there once.
func (im *Image) touches(start, end string, addr, n uint64) bool {
	a, b := im.Lookup(start), im.Lookup(end)
	return len(a) != 1 || len(b) != 1 || addr < b[0].Addr && addr+n > a[0].Addr
}

// KlpName says whether livepatch can find a symbol of this name in every kernel.
//
// Source: klp_resolve_symbols, kernel/livepatch/core.c, v5.10: ".klp.sym.%55[^.].%127[^,],%lu".
func KlpName(name string) bool {
	const longest = 127
	return len(name) <= longest && !strings.Contains(name, ",")
}
