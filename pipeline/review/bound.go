package review

import "fmt"

// Bounds of the page. A browser shows a page of this size without ado; the largest updates of real fixes stay below.
const (
	maxRows    = 30000 // of machine code
	maxLines   = 20000 // of source diff
	maxListed  = 4000  // lines of one table
	maxCallers = 100   // of one function
)

// bound leaves out what makes the page too large, and says so. Differences come before code that stays.
func (p *Page) bound() {
	p.boundCode()
	lines := maxLines
	for i := range p.Diffs {
		d := &p.Diffs[i]
		for j := range d.Files {
			f := &d.Files[j]
			if n := len(f.Lines); n > lines {
				f.Lines, d.Left = f.Lines[:lines], d.Left+n-lines
			}
			lines -= len(f.Lines)
		}
		if d.Left > 0 {
			p.omit("%d lines of the patch %s", d.Left, d.Name)
		}
	}
	for i := range p.Units {
		u := &p.Units[i]
		u.Proofs = bounded(p, u.Proofs, "functions in the list of proofs of "+u.Source)
		u.Others = bounded(p, u.Others, "other verdicts on "+u.Source)
		u.Data = bounded(p, u.Data, "data of "+u.Source)
		for j := range u.Functions {
			if c := u.Functions[j].Callers; c != nil {
				c.bound(p, u.Functions[j].Name)
			}
		}
	}
	p.Late = bounded(p, p.Late, "late symbols")
}

func (c *Callers) bound(p *Page, name string) {
	for _, l := range []*[]Caller{&c.Calls, &c.Pointers} {
		if n := len(*l); n > maxCallers {
			*l = (*l)[:maxCallers]
			p.omit("%d of %d users of %s", n-maxCallers, n, name)
		}
	}
}

// boundCode gives differences their rows first, function by function, then what lies between them.
func (p *Page) boundCode() {
	rows := maxRows
	for _, differs := range []bool{true, false} {
		for i := range p.Units {
			for j := range p.Units[i].Functions {
				f := &p.Units[i].Functions[j]
				for k := range f.Parts {
					f.Parts[k].take(&rows, differs)
				}
			}
		}
	}
	for i := range p.Units {
		for j := range p.Units[i].Functions {
			f, left := &p.Units[i].Functions[j], 0
			for k := range f.Parts {
				left += f.Parts[k].Left
			}
			if left > 0 {
				p.omit("%d instructions of %s in %s; livesplice diff and objdump show them", left, f.Name, p.Units[i].Source)
			}
		}
	}
}

// take counts the rows of the segments of one kind, and empties those that do not fit.
func (p *Part) take(rows *int, differs bool) {
	for i := range p.Segments {
		s := &p.Segments[i]
		switch {
		case s.Differs != differs:
		case len(s.Rows) > *rows:
			p.Left += len(s.Rows)
			s.Rows = nil
		default:
			*rows -= len(s.Rows)
		}
	}
}

func bounded[T any](p *Page, list []T, what string) []T {
	if len(list) <= maxListed {
		return list
	}
	p.omit("%d of %d %s", len(list)-maxListed, len(list), what)
	return list[:maxListed]
}

func (p *Page) omit(format string, args ...any) {
	p.Omitted = append(p.Omitted, fmt.Sprintf(format, args...))
}
