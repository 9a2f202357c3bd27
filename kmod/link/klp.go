package link

import (
	"debug/elf"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/vmlinux"
)

// Bounds of the kernel on the parts of a livepatch symbol's name.
//
// Source: kernel/livepatch/core.c, klp_resolve_symbols, v5.10 (128 with the NUL) and v6.1 (512).
const maxKlpName = 127

// Exported says where the kernel's export of a name leads, and whether a module may use it without more ado (no symbol
// namespace).
type Exported func(name string) (addr uint64, plain bool)

// Convert turns the module as kbuild linked it into the one that is loaded: symbols that the kernel does not export
// become livepatch symbols with their relocations in sections of their own, the names that only the link needed and
// debug data go. A symbol of vmlinux is resolved as the update is loaded, even for code of a module: in a section of a
// module's relocations the kernel permits none.
//
// Source: Documentation/livepatch/module-elf-format.rst, v6.1; klp_resolve_symbols, kernel/livepatch/core.c, v5.8 to v7.0.
func Convert(ko *elfobj.Object, p *Plan, exported Exported) error {
	dropDebug(ko)
	dropEntries(ko, p)
	if err := dropLateKeys(ko, p); err != nil {
		return fmt.Errorf("section %q: %w", "__jump_table", err)
	}
	patched, offsets := map[*elfobj.Symbol]string{}, map[*elfobj.Symbol]int64{}
	for _, s := range ko.Symbols {
		b, ok := p.Symbols[s.Name]
		if !s.Undefined() || !ok {
			continue
		}
		if addr, plain := exported(b.Name); plain && addr == b.Addr && s.Name == b.Name && b.Object == vmlinux.Object {
			continue
		}
		if len(b.Name) > maxKlpName {
			return fmt.Errorf("symbol %q: livepatch cannot resolve names of more than %d characters", b.Name, maxKlpName)
		}
		s.Name, s.Shndx, s.Bind, s.Type = klpSymbol(b.Place), elfobj.ShnLivepatch, elf.STB_GLOBAL, elf.STT_NOTYPE
		patched[s] = b.Patched
		if b.Offset != 0 {
			offsets[s] = int64(b.Offset)
		}
	}
	addOffsets(ko, offsets)
	for _, s := range slices.Clone(ko.Sections) {
		if s.Type == elf.SHT_RELA && s.Flags&elfobj.ShfRelaLivepatch == 0 {
			splitRela(ko, s, patched)
		}
	}
	mergeSameKlp(ko)
	return nil
}

// addOffsets lets relocations lead to places behind their symbols.
func addOffsets(ko *elfobj.Object, offsets map[*elfobj.Symbol]int64) {
	for _, s := range ko.Sections {
		for i := range s.Relocs {
			s.Relocs[i].Addend += offsets[s.Relocs[i].Sym]
		}
	}
}

func klpSymbol(p vmlinux.Place) string {
	return fmt.Sprintf(".klp.sym.%s.%s,%d", p.Object, p.Name, p.SymPos)
}

// mergeSameKlp leaves one symbol for each place: two units may each have brought their own.
func mergeSameKlp(ko *elfobj.Object) {
	first := map[string]*elfobj.Symbol{}
	same := map[*elfobj.Symbol]*elfobj.Symbol{}
	for _, s := range ko.Symbols {
		if s.Shndx != elfobj.ShnLivepatch {
			continue
		}
		if f := first[s.Name]; f != nil {
			same[s] = f
		} else {
			first[s.Name] = s
		}
	}
	replaceSymbols(ko, same)
}

// replaceSymbols lets every relocation to a key of same go to its value, and drops the keys.
func replaceSymbols(ko *elfobj.Object, same map[*elfobj.Symbol]*elfobj.Symbol) {
	if len(same) == 0 {
		return
	}
	for _, s := range ko.Sections {
		for i := range s.Relocs {
			if to := same[s.Relocs[i].Sym]; to != nil {
				s.Relocs[i].Sym = to
			}
		}
	}
	var kept []*elfobj.Symbol
	for _, s := range ko.Symbols {
		if same[s] == nil {
			kept = append(kept, s)
		}
	}
	ko.Symbols = kept
}

// splitRela moves the entries that name livepatch symbols to sections that the livepatch core applies, one for each
// object whose loading resolves them.
func splitRela(ko *elfobj.Object, rela *elfobj.Section, patched map[*elfobj.Symbol]string) {
	var plain []elfobj.Reloc
	klp := map[string][]elfobj.Reloc{}
	for _, r := range rela.Relocs {
		if object, ok := patched[r.Sym]; ok {
			klp[object] = append(klp[object], r)
		} else {
			plain = append(plain, r)
		}
	}
	rela.Relocs = plain
	for _, object := range slices.Sorted(maps.Keys(klp)) {
		ko.Sections = append(ko.Sections, &elfobj.Section{
			Name: klpRela(object, rela.Applies), Type: elf.SHT_RELA, Flags: elf.SHF_ALLOC | elf.SHF_INFO_LINK | elfobj.ShfRelaLivepatch,
			Align: 8, EntSize: rela.EntSize, Applies: rela.Applies, Relocs: klp[object],
		})
	}
}

const klpRelaPrefix = ".klp.rela."

func klpRela(object string, applies *elfobj.Section) string {
	return klpRelaPrefix + object + "." + applies.Name
}

// dropEntries removes the symbols by which the module's source found the new functions: each is a second name of a
// function, which would show in stack traces.
func dropEntries(ko *elfobj.Object, p *Plan) {
	entries := map[string]bool{}
	for _, s := range p.Splices {
		entries[s.Entry] = true
	}
	same := map[*elfobj.Symbol]*elfobj.Symbol{}
	for _, s := range ko.Symbols {
		if !entries[s.Name] || s.Section == nil {
			continue
		}
		for _, f := range ko.Symbols {
			if f != s && f.Section == s.Section && f.Value == s.Value && f.Type == elf.STT_FUNC && !entries[f.Name] {
				same[s] = f
				break
			}
		}
	}
	replaceSymbols(ko, same)
}

// dropDebug removes what describes the module to a debugger: it would be most of the file, and hold paths of the
// machine that built it.
func dropDebug(ko *elfobj.Object) {
	gone := map[*elfobj.Section]bool{}
	for _, s := range ko.Sections {
		if !s.Alloc() && (strings.HasPrefix(s.Name, ".debug") || s.Name == ".comment" || strings.HasPrefix(s.Name, ".note.GNU-stack")) {
			gone[s] = true
		}
	}
	var sections []*elfobj.Section
	for _, s := range ko.Sections {
		if !gone[s] && !(s.Type == elf.SHT_RELA && gone[s.Applies]) {
			sections = append(sections, s)
		}
	}
	var symbols []*elfobj.Symbol
	for _, s := range ko.Symbols {
		if s.Section == nil || !gone[s.Section] {
			symbols = append(symbols, s)
		}
	}
	ko.Sections, ko.Symbols = sections, symbols
}

// Unsplit gives the object with its livepatch relocations back among the ordinary ones, so that it can be read like
// any other. The object itself is changed.
func Unsplit(ko *elfobj.Object) {
	var sections []*elfobj.Section
	for _, s := range ko.Sections {
		if s.Type != elf.SHT_RELA || s.Flags&elfobj.ShfRelaLivepatch == 0 {
			sections = append(sections, s)
			continue
		}
		if s.Applies.Rela == nil {
			s.Flags &^= elfobj.ShfRelaLivepatch
			s.Applies.Rela = s
			sections = append(sections, s)
			continue
		}
		r := s.Applies.Rela
		r.Relocs = append(r.Relocs, s.Relocs...)
		sort.SliceStable(r.Relocs, func(i, j int) bool { return r.Relocs[i].Offset < r.Relocs[j].Offset })
	}
	ko.Sections = sections
}
