package diff

import (
	"bytes"
	"slices"

	"livesplice/kmod/unit"
)

// entry compares two entries of special sections.
func (c *comparer) entry(a, b unit.Entry) (bool, error) {
	if a.Section.Name != b.Section.Name || a.End-a.Start != b.End-b.Start || len(a.Refs) != len(b.Refs) {
		return false, nil
	}
	ra, rb := a.Refs, b.Refs
	da, db := a.Data(), b.Data()
	switch {
	case a.Section.Name == "__bug_table":
		// File and line are noise. What is left: where the bug is, the format since 6.19, and the flags, two bytes. The
		// file is the last reference and the line follows it; without verbose messages, there is neither.
		last := ra[len(ra)-1]
		flags := last.Offset + uint64(last.Field.Size)
		if n := len(ra); n > 1 {
			ra, rb, flags = ra[:n-1], rb[:n-1], flags+2
		}
		if flags+2 > uint64(len(da)) {
			return false, nil
		}
		return c.references(ra, rb) && bytes.Equal(da[flags:flags+2], db[flags:flags+2]), nil
	case a.Alt != nil:
		x, y := a.Replacement, b.Replacement
		if x.End-x.Start != y.End-y.Start || !c.references(x.Refs, y.Refs) ||
			!c.equalOutside(x.Data(), y.Data(), x.Refs) {
			return false, nil
		}
		return c.references(elsewhere(ra), elsewhere(rb)) && c.equalOutside(da, db, a.Refs), nil
	}
	return c.references(ra, rb) && c.equalOutside(da, db, a.Refs), nil
}

// elsewhere leaves out the references to replacement code, whose place in its section tells nothing.
func elsewhere(refs []unit.Ref) []unit.Ref {
	return slices.DeleteFunc(slices.Clone(refs), func(r unit.Ref) bool { return r.Table != nil })
}
