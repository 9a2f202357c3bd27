package match

import (
	"livesplice/kmod/unit"
)

// tables are the unit's named data with references in them, as evidence: a table of operations that stands where its
// name says, byte for byte, tells which of several same-named static functions is the unit's own. A datum that does not
// match is no finding here, since nothing may need it.
func (m *matcher) tables() (out []*function) {
	for _, it := range m.pre.Items {
		if it.Kind != unit.Datum || it.Bytes() == nil || unit.BaseName(it.Name) != it.Name || it.Weak() {
			continue
		}
		if refs, err := m.pre.Refs(it); err != nil || len(refs) == 0 {
			continue
		}
		f := &function{item: it}
		for _, y := range it.Syms {
			for _, s := range m.run.Lookup(y.Name) {
				a := m.attempt(s.Addr)
				if m.run.IsCode(s) || f.tried(s.Addr) || a.compare(it, s.Addr) != nil {
					continue
				}
				f.candidates = append(f.candidates, a)
			}
		}
		out = append(out, f)
	}
	return out
}

func (f *function) tried(addr uint64) bool {
	for _, a := range f.candidates {
		if a.addr == addr {
			return true
		}
	}
	return false
}

// pinTables pins data that has a single candidate.
func (m *matcher) pinTables() (changed bool) {
	for _, f := range m.data {
		if f.found != nil {
			continue
		}
		if m.narrow(f); len(f.candidates) == 1 {
			m.pin(f, f.candidates[0], "name")
			changed = true
		}
	}
	return changed
}
