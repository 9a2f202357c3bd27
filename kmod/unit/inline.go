package unit

import (
	"cmp"
	"debug/dwarf"
	"slices"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/safedwarf"
)

// Inlined is the code of one function in another that it was inlined into.
type Inlined struct {
	Name string
	// Start and End bound a stretch of this code, in bytes from the start of the item that holds it.
	Start, End uint64
	// Depth is 1 for what the item itself calls in its source, 2 for what that calls, and so on.
	Depth int
	// Line and Column are those of the call, in the function that makes it; 0 where they are not known.
	Line, Column int64
}

// inlineTable holds stretches of inlined code by made-up address, ascending.
type inlineTable struct {
	known bool // the object has DWARF data
	base  map[*elfobj.Section]uint64
	calls []Inlined
}

// Inlined gives the stretches of inlined code in a function, in ascending order; ok is false for an object without
// DWARF data, which tells nothing.
func (u *Unit) Inlined(it *Item) (calls []Inlined, ok bool) {
	if u.inlined == nil {
		u.inlined = u.readInlined()
	}
	t := u.inlined
	start := t.base[it.Section] + it.Start
	end := start + it.Size()
	for _, c := range t.calls {
		if c.Start >= start && c.Start < end {
			calls = append(calls, Inlined{Name: c.Name, Start: c.Start - start, End: min(c.End, end) - start, Depth: c.Depth, Line: c.Line, Column: c.Column})
		}
	}
	return calls, t.known
}

// readInlined reads the inlined calls; an object whose DWARF data cannot be read has none.
func (u *Unit) readInlined() (t *inlineTable) {
	defer func() {
		if recover() != nil { // debug/dwarf on an object that a strange compiler made
			t = &inlineTable{}
		}
	}()
	if u.Obj.Section(".debug_info") == nil {
		return &inlineTable{}
	}
	t = &inlineTable{known: true, base: u.addresses()}
	d, err := u.debugInfo(t.base)
	if err != nil {
		return &inlineTable{}
	}
	in := &inlineReader{data: d, names: map[dwarf.Offset]string{}}
	if err := in.read(t); err != nil {
		return &inlineTable{}
	}
	slices.SortStableFunc(t.calls, func(a, b Inlined) int { return cmp.Compare(a.Start, b.Start) })
	return t
}

type inlineReader struct {
	data  *dwarf.Data
	names map[dwarf.Offset]string
}

// read walks functions and what is inlined into them; nothing else has children of interest.
func (in *inlineReader) read(t *inlineTable) error {
	r := safedwarf.NewReader(in.data)
	depths := []int{} // of inlining, by nesting of entries
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			return err
		}
		if e.Tag == 0 {
			depths = depths[:max(len(depths)-1, 0)]
			continue
		}
		depth := 0
		if len(depths) > 0 {
			depth = depths[len(depths)-1]
		}
		switch e.Tag {
		case dwarf.TagCompileUnit, dwarf.TagSubprogram, dwarf.TagLexDwarfBlock, dwarf.TagInlinedSubroutine:
		default:
			safedwarf.Skip(r, e)
			continue
		}
		if e.Tag == dwarf.TagInlinedSubroutine {
			depth++
			ranges, err := in.data.Ranges(e)
			if err != nil {
				return err
			}
			name := in.name(e, 0)
			line, _ := e.Val(dwarf.AttrCallLine).(int64)
			column, _ := e.Val(dwarf.AttrCallColumn).(int64)
			for _, p := range ranges {
				if name != "" && p[0] < p[1] {
					t.calls = append(t.calls, Inlined{Name: name, Start: p[0], End: p[1], Depth: depth, Line: line, Column: column})
				}
			}
		}
		if e.Children {
			depths = append(depths, depth)
		}
	}
}

// name follows an entry to the one that names its function.
func (in *inlineReader) name(e *dwarf.Entry, hops int) string {
	if name, ok := e.Val(dwarf.AttrName).(string); ok {
		return name
	}
	origin, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
	if !ok {
		origin, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset)
	}
	if !ok || hops > 8 {
		return ""
	}
	name, known := in.names[origin]
	if !known {
		r := in.data.Reader()
		r.Seek(origin)
		if to, err := r.Next(); err == nil && to != nil {
			name = in.name(to, hops+1)
		}
		in.names[origin] = name
	}
	return name
}
