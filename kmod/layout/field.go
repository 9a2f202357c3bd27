package layout

import (
	"debug/dwarf"
	"fmt"
)

// Leaf is the innermost field of a variable at some place: a number, a pointer, or what else has no members.
type Leaf struct {
	Path         string // from the variable on: ".ops[2].open", "" for a variable without members
	Offset, Size int64  // bytes from the variable's start, bytes
	Type         string // in C's words
	// Number says that the value is a whole number, Signed that it has a sign, Text that it is a character of a string.
	Number, Signed, Text bool
}

// Leaf gives the field that holds the byte at an offset of a variable, of file scope or static in a function. ok is false
// when two variables of that name have different types, for padding, and for a place outside.
func (u *Unit) Leaf(variable string, offset int64) (leaf Leaf, ok bool) {
	defer func() {
		if recover() != nil { // debug/dwarf on an object that a strange compiler made
			ok = false
		}
	}()
	t := u.variable(variable)
	if t == nil || offset < 0 || offset >= size(t) {
		return Leaf{}, false
	}
	return leafAt(t, offset)
}

// variable gives the type of a variable; nil if there is none or if it is not the only one of its name.
func (u *Unit) variable(name string) (found dwarf.Type) {
	if u.variables == nil {
		u.variables = map[string][]dwarf.Offset{}
		u.readVariables()
	}
	for _, off := range u.variables[name] {
		t, err := u.data.Type(off)
		if err != nil || found != nil && found.Common() != t.Common() {
			return nil
		}
		found = t
	}
	return found
}

// readVariables finds the types of all variables that have a place, those of functions too.
func (u *Unit) readVariables() {
	r := u.data.Reader()
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			return
		}
		if e.Tag != dwarf.TagVariable {
			continue // the children of functions follow: their static variables
		}
		_, placed := e.Val(dwarf.AttrLocation).([]byte)
		off, typed := e.Val(dwarf.AttrType).(dwarf.Offset)
		name, _ := e.Val(dwarf.AttrName).(string)
		if spec, ok := e.Val(dwarf.AttrSpecification).(dwarf.Offset); ok && name == "" && placed {
			name, off, typed = u.declared(spec)
		}
		if name != "" && placed && typed {
			u.variables[name] = append(u.variables[name], off)
		}
	}
}

// declared gives name and type of the declaration that a definition completes.
func (u *Unit) declared(at dwarf.Offset) (name string, typ dwarf.Offset, ok bool) {
	r := u.data.Reader()
	r.Seek(at)
	e, err := r.Next()
	if err != nil || e == nil {
		return "", 0, false
	}
	name, _ = e.Val(dwarf.AttrName).(string)
	typ, ok = e.Val(dwarf.AttrType).(dwarf.Offset)
	return name, typ, ok
}

func leafAt(t dwarf.Type, offset int64) (Leaf, bool) {
	leaf := Leaf{}
	for range longest {
		switch x := bare(t).(type) {
		case nil:
			return Leaf{}, false
		case *dwarf.ArrayType:
			n := size(x.Type)
			if n <= 0 {
				return Leaf{}, false
			}
			leaf.Path += fmt.Sprintf("[%d]", offset/n)
			leaf.Offset += offset / n * n
			offset, t = offset%n, x.Type
			continue
		case *dwarf.StructType:
			f, at := fieldAt(x, offset)
			if f == nil {
				return Leaf{}, false
			}
			if f.Name != "" {
				leaf.Path += "." + f.Name
			}
			leaf.Offset += at
			offset, t = offset-at, f.Type
			continue
		default:
			leaf.Size, leaf.Type = x.Size(), name(t)
			leaf.Number = number(x)
			switch x.(type) {
			case *dwarf.IntType, *dwarf.CharType:
				leaf.Signed = true
			}
			_, signed := x.(*dwarf.CharType)
			_, unsigned := x.(*dwarf.UcharType)
			leaf.Text = signed || unsigned
			return leaf, true
		}
	}
	return Leaf{}, false
}

// fieldAt gives the member that holds a byte, the first one of a union, and where it begins.
func fieldAt(s *dwarf.StructType, offset int64) (*dwarf.StructField, int64) {
	for _, f := range s.Field {
		at := f.ByteOffset
		if f.BitSize != 0 && f.DataBitOffset != 0 {
			at = f.DataBitOffset / 8
		}
		if offset >= at && offset < at+size(f.Type) {
			return f, at
		}
	}
	return nil, 0
}
