package unit

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/elfobj"
)

// entryLayout is what every kernel has in common in the entries of a table: they begin with fields that name places, one
// behind the other, and only then come numbers. How large an entry is follows from where the next one begins.
type entryLayout struct {
	// refs are the numbers of fields that name places, in the kernels that are known.
	refs []int
	// rest is the number of bytes that follow them at least.
	rest uint64
	// last says of the last field, where there are as many as the largest of refs, what it must name for it to be one; nil
	// where anything will do.
	last func(u *Unit, r elfobj.Reloc) bool
}

// entryLayouts hold for kernels 3.10 to 7.2 and every machine. Entries have grown and shrunk: those of __jump_table are 24
// bytes with absolute addresses and 16 with relative ones (4.19 for x86-64), those of __ex_table 8 bytes before x86-64 got a
// handler (4.6), those of .altinstructions 12, 13, 12 and 14 (4.1, 5.13, 6.3).
//
// Source: include/linux/jump_label.h, include/asm-generic/bug.h and arch/{x86,powerpc,s390,arm64,loongarch}/include/asm/
// {alternative,bug,extable,uaccess,paravirt_types}.h, v3.10, v4.4, v4.15, v5.10, v6.1, v6.12 and v7.2.
var entryLayouts = map[string]entryLayout{
	"jump_entry":            {refs: []int{3}},                        // code, target, key
	"bug_entry":             {refs: []int{1, 2, 3}, rest: 2},         // place, format (6.19), file (verbose); then line and flags
	"alt_instr":             {refs: []int{2}, rest: 2},               // code, replacement; then feature and lengths
	"exception_table_entry": {refs: []int{2, 3}, last: isHandler},    // code, where to go on, handler (4.6 to 5.15)
	"paravirt_patch_site":   {refs: []int{1}, rest: sitePatchLength}, // code; then kind and length
}

// sitePatchLength are the bytes behind the address in struct paravirt_patch_site: kind and length, a clobber mask up to 5.0.
const sitePatchLength = 2

// isHandler says whether a field of __ex_table names the handler, a function of its own: of what else an entry has, the
// code that may fault is inside a function of the unit.
func isHandler(u *Unit, r elfobj.Reloc) bool {
	if r.Sym == nil || r.Sym.Section == nil {
		return r.Sym != nil && r.Addend == 0
	}
	at := int64(r.Sym.Value) + r.Addend
	it := u.ItemAt(r.Sym.Section, at)
	return it != nil && it.Kind == Function && int64(it.Start) == at
}

// sizeByRefs finds the size of the entries of a table in the table itself: it is one if each entry has the same fields at
// the same places and begins with the place of code. An error says that no size fits, or more than one.
func (u *Unit) sizeByRefs(s *elfobj.Section, known Section, layout entryLayout) (uint64, error) {
	relocs, total := s.Rela.Relocs, s.Size()
	var fits []uint64
	for i, n := range layout.refs {
		size := total
		if n < len(relocs) {
			size = relocs[n].Offset - relocs[0].Offset
		}
		if last := i == len(layout.refs)-1; size == 0 || !known.holds(relocs, size, total) || !u.layoutFits(s, layout, size, n, last) {
			continue
		}
		if !slices.Contains(fits, size) {
			fits = append(fits, size)
		}
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		return 0, fmt.Errorf("%d bytes with %d relocations are not a table of %s", total, len(relocs), known.Entry)
	}
	return 0, fmt.Errorf("whether its entries have %s bytes cannot be told", strings.Trim(strings.ReplaceAll(fmt.Sprint(fits), " ", " or "), "[]"))
}

// layoutFits says whether a table can be one of entries of a size that begin with n fields; most says that there can be no
// more of them.
func (u *Unit) layoutFits(s *elfobj.Section, layout entryLayout, size uint64, n int, most bool) bool {
	relocs := s.Rela.Relocs
	if len(relocs)%n != 0 || uint64(len(relocs)/n) != (s.Size()+size-1)/size {
		return false
	}
	for i, r := range relocs {
		f, err := u.Arch.Field(r.Type)
		if err != nil || f.Size == 0 {
			return false
		}
		k, end := i%n, r.Offset%size+uint64(f.Size)
		switch {
		case k+1 < n && relocs[i+1].Offset%size != end:
			return false // a gap between two fields
		case k+1 == n && end+layout.rest > size:
			return false
		case k == 0 && (r.Sym == nil || r.Sym.Section == nil || !codeLike(r.Sym.Section)):
			return false
		case k+1 == n && most && layout.last != nil && (end != size || !layout.last(u, r)):
			return false
		}
	}
	return true
}

// codeLike says whether an entry of a table can be about what is in a section: code, or replacement code.
func codeLike(s *elfobj.Section) bool {
	return s.Flags&elf.SHF_EXECINSTR != 0 || KnownSection(s.Name).Use == Helper || strings.HasPrefix(s.Name, "__ftr_alt_")
}
