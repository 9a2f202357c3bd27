package diff

import (
	"bytes"

	"livesplice/kmod/unit"
)

// entry compares two entries of special sections.
func (c *comparer) entry(a, b unit.Entry) (bool, error) {
	if a.Section.Name != b.Section.Name || a.End-a.Start != b.End-b.Start || len(a.Refs) != len(b.Refs) {
		return false, nil
	}
	ra, rb := a.Refs, b.Refs
	da, db := a.Data(), b.Data()
	switch a.Section.Name {
	case "__bug_table":
		// File and line are noise. What is left: where the bug is, the format since 6.19, and the flags, which are the
		// last two bytes. The file is the last reference.
		if n := len(ra); n > 1 {
			ra, rb = ra[:n-1], rb[:n-1]
		}
		da, db = da[len(da)-2:], db[len(db)-2:]
		return c.references(ra, rb) && bytes.Equal(da, db), nil
	case ".altinstructions":
		x, y := a.Replacement, b.Replacement
		if x.End-x.Start != y.End-y.Start || !c.references(x.Refs, y.Refs) ||
			!equalOutside(x.Data(), y.Data(), x.Refs) {
			return false, nil
		}
		ra, rb = ra[:1], rb[:1]
		return c.references(ra, rb) && bytes.Equal(da[8:], db[8:]), nil
	}
	return c.references(ra, rb) && equalOutside(da, db, a.Refs), nil
}
