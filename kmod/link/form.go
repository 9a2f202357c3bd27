package link

import (
	"debug/elf"
	"fmt"

	"livesplice/kmod/arch"
	"livesplice/kmod/elfobj"
)

// zeroField says whether a field that is to be relocated holds zeroes only.
//
// Source: arch/x86/kernel/module.c, __apply_relocate_add, v6.1.
func zeroField(ko *elfobj.Object, s *elfobj.Section, r elfobj.Reloc) bool {
	a, err := arch.For(ko)
	if err != nil {
		return false
	}
	f, err := a.Field(r.Type)
	end := r.Offset + uint64(f.Size)
	if err != nil || end < r.Offset || end > uint64(len(s.Data)) {
		return false
	}
	for _, b := range s.Data[r.Offset:end] {
		if b != 0 {
			return false
		}
	}
	return true
}

// form checks the form of livepatch relocations and symbols. The loader applies one ordinary relocation section to each
// section and skips those of livepatch; a symbol that is not reached through the right kind would stay unresolved.
//
// Source: Documentation/livepatch/module-elf-format.rst, v6.1.
func form(ko *elfobj.Object) (errs []error) {
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("module: "+format, args...))
	}
	count := map[string]int{}
	for _, s := range ko.Sections {
		if s.Type != elf.SHT_RELA || s.Applies == nil || !s.Applies.Alloc() {
			continue
		}
		klp := s.Flags&elfobj.ShfRelaLivepatch != 0
		const flags = elf.SHF_ALLOC | elf.SHF_INFO_LINK | elfobj.ShfRelaLivepatch
		if want := ".klp.rela.vmlinux." + s.Applies.Name; klp && (s.Name != want || s.Flags != flags) {
			fail("section %q: livepatch relocations of %q must be in %q with the flags %#x, it has %#x", s.Name, s.Applies.Name, want, uint64(flags), uint64(s.Flags))
		}
		key := fmt.Sprintf("%p %v", s.Applies, klp)
		if count[key]++; count[key] > 1 {
			fail("section %q: the second of its kind for %q", s.Name, s.Applies.Name)
		}
		for _, r := range s.Relocs {
			switch {
			case r.Sym == nil:
				fail("section %q: relocation at %#x without a symbol", s.Name, r.Offset)
			case (r.Sym.Shndx == elfobj.ShnLivepatch) != klp:
				fail("section %q: relocation to %q is in the wrong kind of section", s.Name, r.Sym)
			case !zeroField(ko, s.Applies, r):
				fail("section %q: the field at %#x that is relocated to %q is not zero, for which the loader refuses the module", s.Applies.Name, r.Offset, r.Sym)
			}
		}
	}
	for _, y := range ko.Symbols {
		_, _, err := parseKlp(y.Name)
		if y.Shndx == elfobj.ShnLivepatch && err != nil {
			errs = append(errs, fmt.Errorf("module: %w", err))
		}
		if err == nil && (y.Shndx != elfobj.ShnLivepatch || y.Section != nil || y.Bind != elf.STB_GLOBAL) {
			fail("symbol %q: not marked as one that livepatch resolves", y.Name)
		}
		if y.Section == nil && y.Shndx == elf.SHN_COMMON {
			fail("symbol %q: a common symbol, which the loader refuses", y.Name)
		}
	}
	return errs
}
