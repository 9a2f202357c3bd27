package link

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// coverage finds functions whose change the module does not bring: the comparison here is a plain one of bytes and
// names, apart from that of package diff.
func (v *verifier) coverage(s *side) (errs []error) {
	uses, err := s.uses()
	if err != nil {
		return []error{fmt.Errorf("%s: %w", s.Diff.Unit, err)}
	}
	before, err := usesIn(s.Diff.Pre, s.pre)
	if err != nil {
		return []error{fmt.Errorf("%s: %w", s.Diff.Unit, err)}
	}
	for _, it := range s.Diff.Post.Items {
		if !s.local[it] || s.neverRuns(it) {
			continue
		}
		fail := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s: %s: changed, but not replaced, and %s", s.Diff.Unit, it, fmt.Sprintf(format, args...)))
		}
		if it.Global() {
			fail("other units can call it")
		}
		for _, u := range uses[it] {
			switch {
			case s.neverRuns(root(u.from)):
			case !u.call:
				fail("%s has its address", u.from)
			case v.home[root(u.from)] == nil && !s.unused(root(u.from), uses):
				fail("%s calls it, which the module does not bring", u.from)
			}
		}
		for _, u := range before[s.Diff.PreOf(it)] {
			if !u.call && !has(uses[it], u.from.Name) {
				fail("%s of the shipped code has its address", u.from)
			}
		}
	}
	return errs
}

// unused says whether nothing refers to a function: the compiler keeps some whose callers all inlined them.
func (s *side) unused(it *unit.Item, uses map[*unit.Item][]use) bool {
	return !it.Global() && len(uses[it]) == 0
}

// findLocal finds the functions that differ and are not replaced, and from there those that call them.
func (s *side) findLocal() error {
	c := &plainly{side: s, seen: map[[2]*unit.Item]bool{}}
	for _, it := range s.Diff.Post.Items {
		pre := s.Diff.PreOf(it)
		if it.Kind != unit.Function || pre == nil || s.replaced[root(it)] {
			continue
		}
		if same, err := c.function(pre, it); err != nil {
			return err
		} else if !same {
			s.local[root(it)] = true
		}
	}
	uses, err := s.uses()
	if err != nil {
		return err
	}
	for again := true; again; {
		again = false
		for it := range s.local {
			for _, u := range uses[it] {
				if c := root(u.from); c.Kind == unit.Function && s.Diff.PreOf(c) != nil && !s.replaced[c] && !s.local[c] && !s.neverRuns(c) {
					s.local[c], again = true, true
				}
			}
		}
	}
	return nil
}

// neverRuns says whether a function has run for the last time in a kernel that has booted: the shipped binary has it among what is
// freed. Of one that is not found there, the names of sections tell that are always so. Init code of a module runs when
// that is loaded, perhaps after the update.
func (s *side) neverRuns(it *unit.Item) bool {
	if s.Target != "" && s.Target != vmlinux.Object {
		return false
	}
	if pre := s.Diff.PreOf(it); pre != nil && s.Match != nil && s.freed != nil {
		if addr, ok := s.Match.Located(pre); ok {
			return s.freed(addr)
		}
	}
	sec := it.Section.Name
	return strings.HasPrefix(sec, ".init.") || strings.HasPrefix(sec, ".exit.") && s.Target == vmlinux.Object
}

// use is one reference to a function.
type use struct {
	from *unit.Item
	call bool
}

// has says whether something of a name has the address of a function.
func has(uses []use, name string) bool {
	return slices.ContainsFunc(uses, func(u use) bool { return !u.call && u.from.Name == name })
}

// uses are the references to each function of post, from outside of it, and what it does with its own address.
func (s *side) uses() (map[*unit.Item][]use, error) { return usesIn(s.Diff.Post, s.post) }

func usesIn(in *unit.Unit, tables unit.Tables) (map[*unit.Item][]use, error) {
	out := map[*unit.Item][]use{}
	note := func(it *unit.Item, refs []unit.Ref) {
		for _, r := range refs {
			if r.To != nil && r.To.Kind == unit.Function && root(r.To) != root(it) {
				out[root(r.To)] = append(out[root(r.To)], use{it, it.Kind == unit.Function && r.Direct && r.ToOffset == 0})
			}
		}
	}
	for _, it := range in.Items {
		refs, err := in.Refs(it)
		if err != nil {
			return nil, err
		}
		note(it, refs)
		for _, r := range refs {
			if r.To != nil && r.To == root(it) && r.To.Kind == unit.Function && r.ToOffset == 0 && !r.Direct {
				out[r.To] = append(out[r.To], use{it, false})
			}
		}
		for _, e := range tables[it] {
			note(it, e.Refs)
			note(it, e.Replacement.Refs)
		}
	}
	return out, nil
}

// plainly compares pre and post by bytes and by names, the compiler's numbers apart.
type plainly struct {
	*side
	seen map[[2]*unit.Item]bool
}

func (c *plainly) function(pre, post *unit.Item) (bool, error) {
	same, err := c.item(pre, post)
	if err != nil || !same {
		return false, err
	}
	a, b := byTable(c.pre[pre]), byTable(c.post[post])
	for _, table := range tableNames(a, b) {
		if len(a[table]) != len(b[table]) {
			return false, nil
		}
		for i := range a[table] {
			if !c.entry(table, a[table][i], b[table][i]) {
				return false, nil
			}
		}
	}
	return true, nil
}

func (c *plainly) entry(table string, a, b unit.Entry) bool {
	n := len(a.Refs)
	da, db := a.Data(), b.Data()
	if n != len(b.Refs) || len(da) != len(db) {
		return false
	}
	if table == "__bug_table" {
		// The last reference is the file, the two bytes in front of the last two the line.
		return c.refs(a.Refs[:max(n-1, 1)], b.Refs[:max(n-1, 1)]) && bytes.Equal(da[len(da)-2:], db[len(db)-2:])
	}
	return c.refs(a.Refs, b.Refs) && equal(da, db, a.Refs) &&
		c.refs(a.Replacement.Refs, b.Replacement.Refs) && equal(a.Replacement.Data(), b.Replacement.Data(), a.Replacement.Refs)
}

func (c *plainly) item(pre, post *unit.Item) (bool, error) {
	key := [2]*unit.Item{pre, post}
	if pre.Size() != post.Size() || c.seen[key] {
		return pre.Size() == post.Size(), nil
	}
	c.seen[key] = true
	a, err := c.Diff.Pre.Refs(pre)
	if err != nil {
		return false, err
	}
	b, err := c.Diff.Post.Refs(post)
	if err != nil {
		return false, err
	}
	if unit.UbsanSite(pre) && unit.UbsanSite(post) && len(a) > 0 && len(b) > 0 && a[0].Offset == 0 && b[0].Offset == 0 {
		// The first reference is the file, with the folder that it was compiled in; line and column stand behind it.
		skip := map[uint64]bool{}
		for i := range uint64(unit.UbsanLocation) {
			skip[i] = true
		}
		return c.refs(a[1:], b[1:]) && sameOutside(post, pre.Bytes(), post.Bytes(), a[1:], skip) == nil, nil
	}
	return c.refs(a, b) && (equal(pre.Bytes(), post.Bytes(), a) || unit.SameButLines(c.Diff.Pre, c.Diff.Post, pre, post, a)), nil
}

func (c *plainly) refs(a, b []unit.Ref) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Offset != b[i].Offset || !c.Diff.Pre.SameReloc(a[i].Type, b[i].Type) || !c.target(a[i], b[i]) {
			return false
		}
	}
	return true
}

// target compares where two references lead. Variables that macros make and every datum with a name of its own are
// taken for the same by their names; what has none, or is a constant of the compiler's, by content.
func (c *plainly) target(a, b unit.Ref) bool {
	switch {
	case a.Table != nil && b.Table != nil:
		return true // replacement code, compared with its entry
	case a.ToOffset != b.ToOffset || (a.To == nil) != (b.To == nil) || (a.Table == nil) != (b.Table == nil):
		return false
	case a.To == nil:
		return a.External.Name == b.External.Name
	case a.To.Kind != b.To.Kind:
		return false
	case len(a.To.Syms) > 0 && unit.BaseName(a.To.Name) != unit.BaseName(b.To.Name):
		return false
	case len(a.To.Syms) == 0, diff.Fresh(a.To) && !a.To.Writable():
		same, err := c.item(a.To, b.To)
		return err == nil && (same || diff.SameTextButLines(a.To, b.To))
	}
	return true
}

func equal(a, b []byte, refs []unit.Ref) bool {
	if len(a) != len(b) {
		return false
	}
	skip := map[uint64]bool{}
	return sameOutside(&unit.Item{}, a, b, refs, skip) == nil
}
