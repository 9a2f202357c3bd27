// Package safedwarf looks debug information over before debug/dwarf makes types of it, and walks it without recursion.
//
// debug/dwarf reports bytes that make no sense as errors or panics, which can be caught. A stack that is used up cannot: the
// runtime ends the program. Three things lead there: a circle of typedefs, arrays and qualifiers, whose size has no end;
// types that lead to one another deeper than any source has them; and entries within entries without an end. And where a unit
// ends within a number, dwarf.Reader gives ends of lists for ever.
package safedwarf

import (
	"debug/dwarf"
	"errors"
	"fmt"
)

// Bounds of what is read. A type costs debug/dwarf about 1 KB of stack where it leads to another, and a program's stack is
// 1 GB; the size of a chain is computed anew for each of its links.
const (
	mostTypes   = 1 << 18 // entries of types in an object: the largest units of the kernel have a tenth of it
	longest     = 1 << 14 // links of a chain: pointers, arrays, typedefs and qualifiers around one type
	deepestTree = 1 << 12 // entries within entries
)

// Reader is a dwarf.Reader that comes to an end.
type Reader struct {
	*dwarf.Reader
	ends int // of lists of entries, one after another
}

// NewReader gives a reader at the first entry.
func NewReader(d *dwarf.Data) *Reader { return &Reader{Reader: d.Reader()} }

// Next reads the next entry, as dwarf.Reader.Next does.
func (r *Reader) Next() (*dwarf.Entry, error) {
	e, err := r.Reader.Next()
	if err != nil || e == nil || e.Tag != 0 {
		r.ends = 0
		return e, err
	}
	if r.ends++; r.ends > 2*deepestTree {
		return nil, errors.New("a unit that ends within an entry")
	}
	return e, nil
}

// Top gives the entries at the top of each compile unit and the units themselves, in order, of debug information from which
// debug/dwarf can make types. An error says why it cannot.
func Top(d *dwarf.Data) ([]*dwarf.Entry, error) {
	var top []*dwarf.Entry
	links := map[dwarf.Offset]dwarf.Offset{}
	types, depth := 0, 0
	for r := NewReader(d); ; {
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			break
		}
		if e.Tag == 0 {
			depth = max(depth-1, 0)
			continue
		}
		if e.Tag == dwarf.TagCompileUnit {
			depth = 0
		}
		if depth <= 1 {
			top = append(top, e)
		}
		if f := e.AttrField(dwarf.AttrType); f != nil && f.Class == dwarf.ClassReferenceSig {
			return nil, fmt.Errorf("the entry at %#x has a type of a type unit, which no kernel's compiler is told to make", e.Offset)
		}
		if e.Children {
			depth++
		}
		if depth > deepestTree {
			return nil, fmt.Errorf("more than %d entries one in another", deepestTree)
		}
		kind := kindOf(e.Tag)
		if kind == noType {
			continue
		}
		if types++; types > mostTypes {
			return nil, fmt.Errorf("more than %d types", mostTypes)
		}
		if to, ok := e.Val(dwarf.AttrType).(dwarf.Offset); ok && kind == link {
			links[e.Offset] = to
		}
	}
	return top, chains(links)
}

// kind is what an entry is to the size of a type.
type kind int

const (
	noType kind = iota
	link        // of a type that it leads to
	ofParts
)

func kindOf(t dwarf.Tag) kind {
	switch t {
	case dwarf.TagPointerType, dwarf.TagArrayType, dwarf.TagTypedef, dwarf.TagConstType, dwarf.TagVolatileType, dwarf.TagRestrictType, dwarf.TagAtomicType:
		return link
	case dwarf.TagStructType, dwarf.TagUnionType, dwarf.TagClassType, dwarf.TagSubroutineType, dwarf.TagEnumerationType, dwarf.TagBaseType:
		return ofParts
	}
	return noType
}

// chains says whether links lead in a circle, or too far.
func chains(links map[dwarf.Offset]dwarf.Offset) error {
	length := make(map[dwarf.Offset]int, len(links)) // of the chains that are known to end
	for from := range links {
		var path []dwarf.Offset
		at := from
		for {
			to, linked := links[at]
			if _, known := length[at]; known || !linked {
				break
			}
			if path = append(path, at); len(path) > longest {
				return fmt.Errorf("the type at %#x leads to itself, or to another by more than %d pointers, arrays and typedefs", from, longest)
			}
			at = to
		}
		n := length[at]
		for i := len(path) - 1; i >= 0; i-- {
			n++
			length[path[i]] = n
		}
		if n > longest {
			return fmt.Errorf("the type at %#x leads to another by more than %d pointers, arrays and typedefs", from, longest)
		}
	}
	return nil
}

// Skip moves a reader behind all that is within the entry that it has just read. Unlike Reader.SkipChildren it uses no stack.
func Skip(r *Reader, e *dwarf.Entry) {
	for depth := 0; ; {
		if e.Children {
			if to, ok := e.Val(dwarf.AttrSibling).(dwarf.Offset); ok && to > e.Offset {
				r.Seek(to)
			} else {
				depth++
			}
		} else if e.Tag == 0 {
			depth--
		}
		if depth <= 0 {
			return
		}
		next, err := r.Next()
		if err != nil || next == nil {
			return
		}
		e = next
	}
}
