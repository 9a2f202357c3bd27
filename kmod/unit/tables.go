package unit

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/elfobj"
)

// Entry is one entry of a special section. It belongs to the code that its first reference names.
type Entry struct {
	Section    *elfobj.Section
	Start, End uint64 // in Section
	Refs       []Ref  // offsets count from Start; the first is at 0 and names the owner
	// Replacement is the code in .altinstr_replacement that an alternative holds; its Section is nil elsewhere.
	Replacement Replacement
}

// Replacement is a range of .altinstr_replacement.
type Replacement struct {
	Section    *elfobj.Section
	Start, End uint64
	Refs       []Ref
}

// Data is the entry's bytes.
func (e *Entry) Data() []byte { return e.Section.Data[e.Start:e.End] }

// Data is the replacement's code; nil without any.
func (r *Replacement) Data() []byte {
	if r.Section == nil {
		return nil
	}
	return r.Section.Data[r.Start:r.End]
}

// Tables are the entries of an object's special sections by the item that owns them: by section name, and in the order
// of each section. Tables that objtool makes anew at a module's link are left out.
type Tables map[*Item][]Entry

// entrySizes are the sizes in bytes that an entry of a known table has in x86-64 kernels 5.10 to 7.x. The size in an
// object is measured by the spacing of its relocations; another one than these means a layout that is not known.
//
// Source: v5.10, v6.1 and v6.12 of arch/x86/include/asm/{alternative,bug,extable,jump_label,paravirt_types}.h.
var entrySizes = map[string][]uint64{
	"__jump_table":                 {16},
	"__bug_table":                  {6, 8, 10, 12, 16},
	".altinstructions":             {12, 13, 14},
	"__ex_table":                   {12},
	".parainstructions":            {16},
	".smp_locks":                   {4},
	".kcfi_traps":                  {4},
	"__mcount_loc":                 {8},
	"__patchable_function_entries": {8},
}

// rebuilt are the sections that objtool makes anew when the module is linked; what the input holds of them is dropped.
var rebuilt = []string{".retpoline_sites", ".return_sites", ".call_sites", ".ibt_endbr_seal", ".cfi_sites", ".orc_unwind", ".orc_unwind_ip", ".static_call_sites"}

// Tables splits the special sections of the object into entries.
func (u *Unit) Tables() (Tables, error) {
	t := Tables{}
	for _, s := range u.Obj.Sections {
		if !SpecialSection(s.Name) || s.Type == elf.SHT_RELA || slices.Contains(rebuilt, s.Name) || s.Size() == 0 || s.Name == ".altinstr_replacement" {
			continue
		}
		if s.Name == ".printk_index" || s.Name == ".discard.addressable" {
			continue // pointers that keep symbols alive, or an index for user space: nothing that code needs
		}
		if err := t.read(u, s); err != nil {
			return nil, fmt.Errorf("section %q: %w", s.Name, err)
		}
	}
	for _, entries := range t {
		// Which section comes first depends on the first function of the unit that has an entry.
		slices.SortStableFunc(entries, func(a, b Entry) int { return strings.Compare(a.Section.Name, b.Section.Name) })
	}
	return t, nil
}

func (t Tables) read(u *Unit, s *elfobj.Section) error {
	size, err := entrySize(s)
	if err != nil {
		return err
	}
	for at := uint64(0); at < s.Size(); at += size {
		e := Entry{Section: s, Start: at, End: at + size}
		if e.Refs, err = u.RefsIn(s, at, at+size); err != nil {
			return fmt.Errorf("entry %d: %w", at/size, err)
		}
		owner := e.Refs[0].To
		if owner == nil {
			if e.Refs[0].External != nil {
				continue // a weak or external place: not code of this unit
			}
			return fmt.Errorf("entry %d: belongs to nothing", at/size)
		}
		if s.Name == ".altinstructions" {
			if err := e.alternative(u); err != nil {
				return fmt.Errorf("entry %d: %w", at/size, err)
			}
		}
		t[owner] = append(t[owner], e)
	}
	return nil
}

// entrySize is the smallest period of the relocations of a table: each entry has its first relocation at its start and
// the others at the same places.
func entrySize(s *elfobj.Section) (uint64, error) {
	if s.Rela == nil || len(s.Rela.Relocs) == 0 || s.Rela.Relocs[0].Offset != 0 {
		return 0, fmt.Errorf("no relocation at its start: not a table of code addresses")
	}
	relocs, total := s.Rela.Relocs, s.Size()
	for _, r := range relocs[1:] {
		if size := r.Offset; size > 0 && total%size == 0 && periodic(relocs, size, total/size) {
			return size, known(s.Name, size)
		}
	}
	return total, known(s.Name, total)
}

func periodic(relocs []elfobj.Reloc, size, n uint64) bool {
	per := uint64(0)
	for per < uint64(len(relocs)) && relocs[per].Offset < size {
		per++
	}
	if per*n != uint64(len(relocs)) {
		return false
	}
	for i, r := range relocs {
		k := uint64(i)
		if r.Offset != k/per*size+relocs[k%per].Offset || r.Type != relocs[k%per].Type {
			return false
		}
	}
	return true
}

func known(name string, size uint64) error {
	if strings.HasPrefix(name, ".discard.") && (size == 4 || size == 8) || slices.Contains(entrySizes[name], size) {
		return nil
	}
	return fmt.Errorf("entries of %d bytes are not known (expected one of %v)", size, entrySizes[name])
}

// alternative finds the replacement code of an entry of .altinstructions. Its length is the last byte of the entry,
// but in the 13-byte layout of 5.10, where the length of the padding follows it.
func (e *Entry) alternative(u *Unit) error {
	data := e.Data()
	n := data[len(data)-1]
	if len(data) == 13 {
		n = data[11]
	}
	if n == 0 {
		return nil
	}
	if len(e.Refs) != 2 || e.Refs[1].Table == nil {
		return fmt.Errorf("no reference to replacement code")
	}
	sec, start := e.Refs[1].Table, uint64(e.Refs[1].ToOffset)
	if start > sec.Size() || uint64(n) > sec.Size()-start {
		return fmt.Errorf("replacement code of %d bytes at %#x lies outside its section", n, start)
	}
	refs, err := u.RefsIn(sec, start, start+uint64(n))
	if err != nil {
		return fmt.Errorf("replacement code: %w", err)
	}
	e.Replacement = Replacement{Section: sec, Start: start, End: start + uint64(n), Refs: refs}
	return nil
}
