package module

import (
	"debug/elf"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/vmlinux"
)

// Constant finds the symbol from which livepatch can reach n bytes of the module that nobody writes to: the nearest one in
// front of them in their section, which is the only thing of the module whose distance is certain. It is false for other
// bytes, and where there is no such symbol, as in most sections of literals.
func (im *Image) Constant(addr, n uint64) (best vmlinux.Symbol, ok bool) {
	for _, s := range im.sections {
		if s.Flags&(elf.SHF_WRITE|elf.SHF_EXECINSTR) != 0 || im.Freed(s.addr) || addr < s.addr || addr-s.addr > uint64(len(s.data)) || n > uint64(len(s.data))-(addr-s.addr) {
			continue
		}
		for _, y := range im.symbols {
			if y.Type != 'U' && !y.Absolute && y.Addr >= s.addr && y.Addr <= addr && im.SymPos(y) >= 0 && vmlinux.KlpName(y.Name) && (!ok || y.Addr > best.Addr) {
				best, ok = y, true
			}
		}
	}
	return best, ok
}

// SectionAt is the section of the running module that an address is in, and where it begins; nil for none.
func (im *Image) SectionAt(addr uint64) (*elfobj.Section, uint64) {
	for _, s := range im.sections {
		if addr >= s.addr && addr-s.addr < s.Size() {
			return s.Section, s.addr
		}
	}
	return nil, 0
}
