package unit

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/arch"
	"livesplice/kmod/elfobj"
)

// Entry is one entry of a special section. It belongs to the code that its first reference names.
type Entry struct {
	Section    *elfobj.Section
	Start, End uint64 // in Section
	Refs       []Ref  // offsets count from Start; the first names the owner
	// Alt tells the parts of an alternative; nil for other tables.
	Alt *arch.Alternative
	// Replacement is the code that an alternative holds; its Section is nil elsewhere.
	Replacement Replacement
}

// Replacement is a range of .altinstr_replacement, or of what the machine has in its place.
type Replacement struct {
	Section    *elfobj.Section
	Start, End uint64
	Refs       []Ref
}

// Data is the entry's bytes, with the padding that the last one of a section may lack.
func (e *Entry) Data() []byte {
	if end := uint64(len(e.Section.Data)); e.End > end {
		return append(slices.Clone(e.Section.Data[e.Start:]), make([]byte, e.End-end)...)
	}
	return e.Section.Data[e.Start:e.End]
}

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

// Tables splits the special sections of the object into entries. An entry's size is that of its C type in the shipped
// kernel, as Unit.Types knows it; without that, the spacing of the section's relocations.
func (u *Unit) Tables() (Tables, error) {
	t := Tables{}
	for _, s := range u.Obj.Sections {
		known := u.KnownSection(s.Name)
		if known.Use != Table && known.Use != Annotation || s.Type == elf.SHT_RELA || s.Size() == 0 {
			continue
		}
		if err := t.read(u, s, known); err != nil {
			return nil, &TableError{Section: s.Name, Err: err}
		}
	}
	for _, entries := range t {
		// Which section comes first depends on the first function of the unit that has an entry.
		slices.SortStableFunc(entries, func(a, b Entry) int { return strings.Compare(a.Section.Name, b.Section.Name) })
	}
	return t, nil
}

// TableError says of a special section that it cannot be split into entries.
type TableError struct {
	Section string
	Err     error
}

func (e *TableError) Error() string { return fmt.Sprintf("section %q: %v", e.Section, e.Err) }
func (e *TableError) Unwrap() error { return e.Err }

func (t Tables) read(u *Unit, s *elfobj.Section, known Section) error {
	size, err := u.entrySize(s, known)
	if err != nil {
		return err
	}
	for at := uint64(0); at < s.Size(); at += size {
		e := Entry{Section: s, Start: at, End: at + size}
		if e.Refs, err = u.refsIn(s, at, min(e.End, s.Size()), known.Shape != nil && known.Shape.FromEntry); err != nil {
			return fmt.Errorf("entry %d: %w", at/size, err)
		}
		if len(e.Refs) == 0 {
			if known.Use == Annotation {
				continue // nothing that belongs to code
			}
			return fmt.Errorf("entry %d: names no code", at/size)
		}
		u.byPlace(&e.Refs[0])
		owner := e.Refs[0].To
		if owner == nil {
			if known.Use == Annotation || e.Refs[0].External != nil {
				continue // an entry of another table, or a weak or external place: not code of this unit
			}
			return fmt.Errorf("entry %d: belongs to nothing", at/size)
		}
		if known.Use == Annotation && !owner.Section.Exec() {
			continue // a pointer that keeps a variable alive
		}
		if known.Shape != nil && known.Shape.Alt != nil {
			e.Alt = known.Shape.Alt
			if err := e.alternative(u); err != nil {
				return fmt.Errorf("entry %d: %w", at/size, err)
			}
		}
		t[owner] = append(t[owner], e)
	}
	return nil
}

// byPlace makes a reference that counts from a symbol, but leads to another item of its section, one to that item:
// recordmcount counts all entries of a section from the first function in it.
//
// Source: find_secsym_ndx in scripts/recordmcount.h, v3.10 to v5.10.
func (u *Unit) byPlace(ref *Ref) {
	it := ref.To
	if it == nil || !it.Section.Exec() || ref.ToOffset >= 0 && uint64(ref.ToOffset) < it.Size() {
		return
	}
	place := int64(it.Start) + ref.ToOffset
	if to := u.ItemAt(it.Section, place); to != nil && uint64(place) < to.End {
		ref.To, ref.ToOffset = to, place-int64(to.Start)
	} else if to := u.behindPadding(it.Section, place); to != nil {
		ref.To, ref.ToOffset = to, place-int64(to.Start)
	}
}

// Find gives the owner of the entry that holds the given place of a special section, the entry's rank among those of the
// owner in this section, and the place in the entry; the owner is nil when no entry is there. Since 6.19 a WARN with
// a message passes the address of its entry in __bug_table on.
//
// Source: arch/x86/include/asm/bug.h, __WARN_bug_entry, v7.2.
func (t Tables) Find(s *elfobj.Section, off int64) (owner *Item, rank int, in int64) {
	for it, entries := range t {
		rank := 0
		for _, e := range entries {
			if e.Section == s && off >= int64(e.Start) && off < int64(e.End) {
				return it, rank, off - int64(e.Start)
			}
			if e.Section.Name == s.Name {
				rank++
			}
		}
	}
	return nil, 0, 0
}

// alternative finds the replacement code of an entry.
func (e *Entry) alternative(u *Unit) error {
	n := uint64(0)
	if e.Alt.End == 0 {
		if n = e.Alt.Len(e.Data()); n == 0 {
			return nil
		}
	}
	if len(e.Refs) <= max(e.Alt.Start, e.Alt.End) || e.Refs[e.Alt.Start].Table == nil {
		return fmt.Errorf("no reference to replacement code")
	}
	sec, start := e.Refs[e.Alt.Start].Table, uint64(e.Refs[e.Alt.Start].ToOffset)
	if e.Alt.End > 0 {
		if e.Refs[e.Alt.End].Table != sec {
			return fmt.Errorf("replacement code begins in %q and ends elsewhere", sec.Name)
		}
		n = uint64(e.Refs[e.Alt.End].ToOffset) - start
	}
	if sec.Type == elf.SHT_NOBITS || start > sec.Size() || n > sec.Size()-start {
		return fmt.Errorf("replacement code of %d bytes at %#x lies outside its section", n, start)
	}
	refs, err := u.RefsIn(sec, start, start+n)
	if err == nil && e.Alt.Inline {
		refs, err = u.withNeighbours(sec, start, start+n, nil, refs)
	}
	if err != nil {
		return fmt.Errorf("replacement code: %w", err)
	}
	e.Replacement = Replacement{Section: sec, Start: start, End: start + n, Refs: refs}
	return nil
}
