package review

import (
	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
)

// context is how many equal instructions are shown before and behind a difference.
const context = 3

// Part is the code of a function, or of a part that the compiler split off it, both sides side by side.
type Part struct {
	Name     string
	Segments []Segment
	Changed  int // rows that differ
	Left     int // rows left out to bound the page
}

// Segment is a stretch of rows: a difference with its context, or what lies between two of them.
type Segment struct {
	Differs bool
	Rows    []Row
}

// Row is an instruction of pre beside one of post; nil for a side that has nothing there.
type Row struct {
	Pre, Post *Insn
	Differs   bool
}

// Mark is the sign of the row in a unified diff.
func (r Row) Mark() string {
	switch {
	case !r.Differs:
		return ""
	case r.Pre == nil:
		return "+"
	case r.Post == nil:
		return "−"
	}
	return "±"
}

// side is one version of a function: its own code and its parts, in the order of the object.
type side struct {
	items []*unit.Item
	code  [][]Insn
}

func newSide(n *namer, it *unit.Item) (*side, error) {
	s := &side{}
	if it == nil {
		return s, nil
	}
	s.items = append([]*unit.Item{it}, it.Children...)
	for _, part := range s.items {
		code, err := n.instructions(part)
		if err != nil {
			return nil, err
		}
		s.code = append(s.code, code)
	}
	return s, nil
}

func (s *side) size() (n uint64) {
	for _, it := range s.items {
		n += it.Size()
	}
	return n
}

// part is the code of an item, nil if the side does not have it.
func (s *side) part(it *unit.Item) []Insn {
	for i, have := range s.items {
		if have == it && it != nil {
			return s.code[i]
		}
	}
	return nil
}

// parts puts two versions of a function side by side. Parts of post go with their counterparts; those that only pre has
// follow.
func parts(r *diff.Result, pre, post *side) []Part {
	var tables []*table
	used := map[*unit.Item]bool{}
	for i, it := range post.items {
		was := r.PreOf(it)
		if i == 0 && len(pre.items) > 0 {
			was = pre.items[0]
		}
		used[was] = true
		tables = append(tables, newTable(was, it, pre.part(was), post.code[i]))
	}
	for i, it := range pre.items {
		if !used[it] {
			tables = append(tables, newTable(it, nil, pre.code[i], nil))
		}
	}
	places := rowsOf(tables)
	var out []Part
	for _, t := range tables {
		t.checkJumps(places)
		p := Part{Name: t.name(), Segments: segments(t.rows)}
		for _, row := range t.rows {
			if row.Differs {
				p.Changed++
			}
		}
		out = append(out, p)
	}
	return out
}

// table is the alignment of one part.
type table struct {
	pre, post *unit.Item
	rows      []Row
	hunk      []int // by row: the number of equal rows before it, which is the same for all rows of a difference
}

func newTable(pre, post *unit.Item, was, is []Insn) *table {
	keys := func(code []Insn) []string {
		out := make([]string, len(code))
		for i := range code {
			out[i] = code[i].key
		}
		return out
	}
	t := &table{pre: pre, post: post}
	equal := 0
	for pairs := align(keys(was), keys(is)); len(pairs) > 0; {
		if p := pairs[0]; p.pre >= 0 && p.post >= 0 {
			t.add(Row{Pre: &was[p.pre], Post: &is[p.post]}, equal)
			equal, pairs = equal+1, pairs[1:]
			continue
		}
		var gone, came []*Insn
		for len(pairs) > 0 && (pairs[0].pre < 0 || pairs[0].post < 0) {
			if p := pairs[0]; p.pre >= 0 {
				gone = append(gone, &was[p.pre])
			} else {
				came = append(came, &is[p.post])
			}
			pairs = pairs[1:]
		}
		for i := range max(len(gone), len(came)) {
			row := Row{Differs: true}
			if i < len(gone) {
				row.Pre = gone[i]
			}
			if i < len(came) {
				row.Post = came[i]
			}
			t.add(row, equal)
		}
	}
	return t
}

// add appends a row with the number of equal ones before it.
func (t *table) add(row Row, equal int) {
	t.rows, t.hunk = append(t.rows, row), append(t.hunk, equal)
}

func (t *table) name() string {
	if t.post != nil {
		return t.post.Name
	}
	return t.pre.Name
}

// position is a place in an alignment, equal for places that correspond.
type position struct {
	table *table
	hunk  int
}

// rowsOf says where the code of each side is in the alignment.
func rowsOf(tables []*table) map[spot]position {
	out := map[spot]position{}
	for _, t := range tables {
		for i, row := range t.rows {
			if row.Pre != nil {
				out[spot{t.pre, row.Pre.At}] = position{t, t.hunk[i]}
			}
			if row.Post != nil {
				out[spot{t.post, row.Post.At}] = position{t, t.hunk[i]}
			}
		}
	}
	return out
}

// checkJumps finds the jumps within a function that look alike and lead to places that do not correspond. A jump to the
// beginning of what was inserted in front of its old target counts as equal.
func (t *table) checkJumps(places map[spot]position) {
	for i := range t.rows {
		row := &t.rows[i]
		if row.Differs || row.Pre == nil || row.Post == nil || row.Pre.to == nil || row.Post.to == nil {
			continue
		}
		was, okPre := places[*row.Pre.to]
		is, okPost := places[*row.Post.to]
		row.Differs = okPre != okPost || was != is
	}
}

// segments cuts rows into differences with their context, and what lies between. A stretch that is hardly longer than
// the line that would stand for it is shown.
func segments(rows []Row) []Segment {
	near := make([]bool, len(rows))
	for i, row := range rows {
		if !row.Differs {
			continue
		}
		for j := max(0, i-context); j <= min(len(rows)-1, i+context); j++ {
			near[j] = true
		}
	}
	const short = 3
	for from := 0; from < len(rows); {
		to := from
		for to < len(rows) && !near[to] {
			to++
		}
		if to-from > 0 && to-from <= short && (from > 0 || to < len(rows)) {
			for i := from; i < to; i++ {
				near[i] = true
			}
		}
		from = max(to, from+1)
	}
	var out []Segment
	for i, row := range rows {
		if i == 0 || near[i] != near[i-1] {
			out = append(out, Segment{Differs: near[i]})
		}
		s := &out[len(out)-1]
		s.Rows = append(s.Rows, row)
	}
	return out
}
