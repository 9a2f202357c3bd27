package link

import (
	"bytes"
	"debug/elf"
	"strings"

	"livesplice/kmod/elfobj"
)

// NewGlobal is a global function or datum that a unit of the update adds.
type NewGlobal struct {
	Name string
	Unit *Unit
	Weak bool
	// Export says whom it is exported to; nil: to no module.
	Export *NewExport
}

// NewExport is an EXPORT_SYMBOL of patched code.
type NewExport struct {
	GPL       bool
	Namespace string
}

// NewGlobals are what the units add under global names, by target and name. Those of two targets are two, whatever they
// are called; several of one target are left to the caller to refuse.
func NewGlobals(units []Unit) map[string]map[string][]NewGlobal {
	out := map[string]map[string][]NewGlobal{}
	for i := range units {
		u := &units[i]
		if out[u.Target] == nil {
			out[u.Target] = map[string][]NewGlobal{}
		}
		entries := map[*elfobj.Symbol]bool{}
		for _, f := range u.Extract.Functions {
			entries[f.Entry] = true
		}
		for _, s := range u.Extract.Obj.Symbols {
			if s.Section == nil || s.Bind == elf.STB_LOCAL || entries[s] {
				continue
			}
			g := NewGlobal{Name: s.Name, Unit: u, Export: exportOf(u.Diff.Post.Obj, s.Name)}
			if y := u.Diff.Post.Obj.Symbol(s.Name); y != nil {
				g.Weak = y.Bind == elf.STB_WEAK
			}
			out[u.Target][s.Name] = append(out[u.Target][s.Name], g)
		}
	}
	return out
}

// exportOf finds out whom an object exports a symbol to. Before 6.5 each export has an entry in a section of its own, and
// its namespace among the strings; later ones have all in .export_symbol: license, namespace, and the symbol.
//
// Source: include/linux/export.h and include/linux/export-internal.h, v5.10, v6.1, v6.12 and v7.2.
func exportOf(o *elfobj.Object, name string) *NewExport {
	if s := o.Symbol("__export_symbol_" + name); s != nil && s.Section != nil {
		license, rest, _ := strings.Cut(stringsAt(s), "\x00")
		namespace, _, _ := strings.Cut(rest, "\x00")
		return &NewExport{GPL: license == "GPL", Namespace: namespace}
	}
	for _, s := range o.Sections {
		table, of, _ := strings.Cut(s.Name, "+")
		if of != name || !strings.HasPrefix(table, "___ksymtab") {
			continue
		}
		e := &NewExport{GPL: strings.HasPrefix(table, "___ksymtab_gpl")}
		if ns := o.Symbol("__kstrtabns_" + name); ns != nil && ns.Section != nil {
			e.Namespace, _, _ = strings.Cut(stringsAt(ns), "\x00")
		}
		return e
	}
	return nil
}

// stringsAt is what a section holds from a symbol on.
func stringsAt(s *elfobj.Symbol) string {
	if s.Value > uint64(len(s.Section.Data)) {
		return ""
	}
	return string(s.Section.Data[s.Value:])
}

// AddsNamespace says whether the patched source of a unit imports a namespace of exported symbols (MODULE_IMPORT_NS).
func (u *Unit) AddsNamespace(namespace string) bool {
	s := u.Diff.Post.Obj.Section(".modinfo")
	return s != nil && bytes.Contains(append([]byte{0}, s.Data...), []byte("\x00import_ns="+namespace+"\x00"))
}
