package unit

import (
	"debug/elf"
	"strings"
)

// A computed goto jumps to one of a table of label addresses, as the dispatch of an interpreter does:
//
//	static const void * const jumptable[256] = { [0 ... 255] = &&default_label, ... };
//
// The table is data by its symbol, and part of the function's code by what is in it. Compilers neither copy nor inline a
// function with such a table, so that there is one of each.
//
// Source: kernel/bpf/core.c, ___bpf_prog_run, v3.18 to v7.2.

// findLabelTables marks local constants that hold nothing but addresses inside of one function, and that it alone uses.
func (u *Unit) findLabelTables() {
	tables := map[*Item]*Item{}
	for _, it := range u.Items {
		if f := u.labelsOf(it); f != nil {
			tables[it] = f
		}
	}
	if len(tables) == 0 {
		return
	}
	for _, it := range u.Items {
		if tables[it] == nil && u.mayReferTo(it, tables) {
			refs, err := u.Refs(it)
			if err != nil {
				return // where it is compared, it is refused
			}
			for _, r := range refs {
				if f := tables[r.To]; f != nil && it.root() != f {
					delete(tables, r.To)
				}
			}
		}
	}
	for it, f := range tables {
		it.LabelsOf = f
	}
}

// root is the function that an item is split off; itself for any other.
func (it *Item) root() *Item {
	for it.Parent != nil {
		it = it.Parent
	}
	return it
}

// labelsOf gives the function that a datum holds label addresses of, and nothing else; nil for any other datum.
func (u *Unit) labelsOf(it *Item) *Item {
	const pointer = 8 // bytes
	constant := !it.Writable() || strings.HasPrefix(it.Section.Name, ".data.rel.ro")
	if it.Kind != Datum || it.Global() || it.Section.Exec() || !constant || it.Section.Type == elf.SHT_NOBITS {
		return nil
	}
	relocs := it.Section.RelocsIn(it.Start, it.End)
	if len(relocs) == 0 || it.Size() != pointer*uint64(len(relocs)) {
		return nil
	}
	var of *Item
	for _, r := range relocs {
		if r.Sym == nil || r.Sym.Section == nil || !r.Sym.Section.Exec() {
			return nil
		}
		place := int64(r.Sym.Value) + r.Addend
		f := u.ItemAt(r.Sym.Section, place)
		if f == nil || f.Kind != Function || uint64(place) == f.Start && f.Parent == nil || uint64(place) >= f.End {
			return nil
		}
		if root := f.root(); of == nil {
			of = root
		} else if of != root {
			return nil
		}
	}
	return of
}

// mayReferTo says whether a relocation of an item names a section with one of the tables.
func (u *Unit) mayReferTo(it *Item, tables map[*Item]*Item) bool {
	for _, r := range it.Section.RelocsIn(it.Start, it.End) {
		for t := range tables {
			if r.Sym != nil && r.Sym.Section == t.Section {
				return true
			}
		}
	}
	return false
}
