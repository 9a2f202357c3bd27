package link

import (
	"debug/elf"
	"fmt"
	"strings"

	"livesplice/kmod/arch"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/vmlinux"
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
		object := patchedObject(s)
		if klp && (object == "" || s.Name != klpRela(object, s.Applies) || s.Flags != flags) {
			fail("section %q: livepatch relocations of %q must be in %q with the flags %#x, it has %#x", s.Name, s.Applies.Name, klpRela("<object>", s.Applies), uint64(flags), uint64(s.Flags))
		}
		key := fmt.Sprintf("%p %v %s", s.Applies, klp, object)
		if count[key]++; count[key] > 1 {
			fail("section %q: the second of its kind for %q", s.Name, s.Applies.Name)
		}
		for _, r := range s.Relocs {
			switch {
			case r.Sym == nil:
				fail("section %q: relocation at %#x without a symbol", s.Name, r.Offset)
			case (r.Sym.Shndx == elfobj.ShnLivepatch) != klp:
				fail("section %q: relocation to %q is in the wrong kind of section", s.Name, r.Sym)
			case klp && !resolvable(object, r.Sym.Name):
				fail("section %q: relocation to %q, and the kernel resolves symbols of vmlinux in those of vmlinux only, symbols of modules in no others", s.Name, r.Sym)
			case klp && object != vmlinux.Object && readAtLoad(s.Applies.Name):
				fail("section %q: the kernel reads section %q before it applies these relocations", s.Name, s.Applies.Name)
			case !zeroField(ko, s.Applies, r):
				fail("section %q: the field at %#x that is relocated to %q is not zero, for which the loader refuses the module", s.Applies.Name, r.Offset, r.Sym)
			}
		}
	}
	for _, y := range ko.Symbols {
		_, err := parseKlp(y.Name)
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

// patchedObject is the object in the name of a section of livepatch relocations, "" for another section.
func patchedObject(s *elfobj.Section) string {
	rest, ok := strings.CutPrefix(s.Name, klpRelaPrefix)
	object, _, more := strings.Cut(rest, ".")
	if !ok || !more || s.Flags&elfobj.ShfRelaLivepatch == 0 {
		return ""
	}
	return object
}

// resolvable says whether the kernel resolves a livepatch symbol in the relocations of an object: it wants those of
// vmlinux as the update is loaded, and those of modules when these are there.
func resolvable(object, symbol string) bool {
	k, err := parseKlp(symbol)
	return err == nil && (k.object == vmlinux.Object) == (object == vmlinux.Object)
}

// readAtLoad says whether the kernel works through a section as the update is loaded, before a patched module need be
// there.
//
// Source: module_finalize and the notifiers of MODULE_STATE_COMING, v5.8 to v7.0.
func readAtLoad(section string) bool {
	switch section {
	case "__jump_table", ".static_call_sites", ".altinstructions", ".altinstr_replacement", "__bug_table", "__ex_table",
		".parainstructions", ".smp_locks", "__mcount_loc", "__patchable_function_entries", ".orc_unwind_ip",
		".retpoline_sites", ".return_sites", ".call_sites", ".ibt_endbr_seal", ".cfi_sites", ".kcfi_traps":
		return true
	}
	return false
}
