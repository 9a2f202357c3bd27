package unit

import (
	"slices"
	"strings"

	"livesplice/kmod/arch"
)

// Use says what the sections of one name hold, and so what becomes of their content in a running kernel.
type Use int

// The uses. The zero value is that of a section which is not known.
const (
	// Text is code.
	Text Use = iota + 1
	// InitText is code that a kernel runs once, while it boots, and then frees; .exit.text of what is built in never runs.
	InitText
	// Data are variables and constants that only code uses.
	Data
	// InitData is freed after boot.
	InitData
	// Table is a special section: the kernel walks it at boot or module load, and each entry belongs to the code that it
	// points at first.
	Table
	// Helper holds what the entries of a Table point to: replacement code of alternatives.
	Helper
	// Annotation is for objtool: its entries belong to code, and are gone after the last link.
	Annotation
	// Rebuilt sections are made anew by objtool when a module is linked.
	Rebuilt
	// BootTable is walked at boot or module load, and its entries belong to no code: initcalls, parameters.
	BootTable
	// LateTable is a BootTable of which new entries can be left out without harm until the next boot.
	LateTable
	// Dropped sections mean nothing to the code of a running kernel.
	Dropped
)

// Section is what is known of the sections of one name, or of one prefix.
type Section struct {
	Use Use
	// Entry is the C type of an entry of a Table: a struct, or "s32" or "unsigned long", which are one relocated field.
	Entry string
	// Holds says for messages what an entry of a BootTable or LateTable is.
	Holds string
	// Fixed says of Text and Data why a copy elsewhere cannot stand in for what lies there; mostly empty.
	Fixed string
	// InitIn says of Text and Data which kernels count them among what they free after boot; empty for none. The name does not
	// tell what kernel it is: see Item.Freed.
	InitIn string
	// Shape is what the machine adds: sizes of entries, alternatives. Only Unit.KnownSection sets it.
	Shape *arch.Table
}

// KnownSection gives what is known of a section by its name; Use is zero when nothing is. Of several patterns the
// longest counts.
func KnownSection(name string) Section {
	if s, ok := exactSections[name]; ok {
		return s
	}
	i := slices.IndexFunc(sectionPrefixes, func(p sectionPrefix) bool { return strings.HasPrefix(name, p.prefix) })
	if i < 0 {
		return Section{}
	}
	return sectionPrefixes[i].Section
}

// KnownSection is KnownSection, with what the machine adds to it.
func (u *Unit) KnownSection(name string) Section {
	s := KnownSection(name)
	if t, ok := u.Arch.Table(name); ok {
		s.Shape = &t
		s.Use = map[arch.Use]Use{arch.Walked: Table, arch.Helper: Helper, arch.Pool: Data}[t.Use]
	}
	return s
}

// special says whether a section's content is read entry by entry (see Tables) or not at all, and never as items.
func (u *Unit) special(name string) bool {
	switch u.KnownSection(name).Use {
	case Table, Helper, Annotation, Rebuilt, Dropped:
		return true
	}
	return false
}

type sectionPrefix struct {
	prefix string
	Section
}

var (
	exactSections   = map[string]Section{}
	sectionPrefixes []sectionPrefix // the longest first
)

func init() {
	for _, row := range sectionRows {
		addSectionRow(row.names, row.Section)
	}
	slices.SortStableFunc(sectionPrefixes, longestFirst)
}

// addSectionRow adds what is known of names that are separated by spaces, of which one that ends with "*" is a prefix.
func addSectionRow(names string, s Section) {
	for _, name := range strings.Fields(names) {
		if prefix, ok := strings.CutSuffix(name, "*"); ok {
			sectionPrefixes = append(sectionPrefixes, sectionPrefix{prefix, s})
		} else {
			exactSections[name] = s
		}
	}
}

func longestFirst(a, b sectionPrefix) int { return len(b.prefix) - len(a.prefix) }
