// Package layout reads what the debug information (DWARF) of an object says about types, and compares two objects of one
// unit by it. A struct whose members moved cannot be changed live: objects of it that exist keep the old layout, while the
// new code reads the new one.
package layout

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"

	"livesplice/kmod/safedwarf"
)

// Unit is what an object's debug information says.
type Unit struct {
	// Types are the structs and unions that the unit defines or includes, outside of functions, by name. A type without a
	// name is called by the typedef, variable or member that it is the type of.
	Types map[string]Type
	// Constants are the enumerators, by name.
	Constants map[string]Constant
	// Prototypes are the functions that the unit defines, by name.
	Prototypes map[string]Prototype

	data      *dwarf.Data
	files     []*dwarf.LineFile         // of the compile unit that is being read
	variables map[string][]dwarf.Offset // types by name; nil until they are asked for

	members int // of Types

	pairs *pairs // what is remembered of comparing the unit with other
	other *Unit
}

// Type is a struct or union.
type Type struct {
	Name    string // "struct foo", "union bar", "struct of variable x"
	Size    int64  // bytes
	File    string // where it is defined, as the compiler was told
	Line    int64
	Members []Member // in order of declaration
}

// Member is one field. The members of an anonymous struct or union follow it in their place.
type Member struct {
	Name   string // "b", "a.b" in a member a whose type has no name; empty for an anonymous struct or union
	Type   string // in C's words: "int", "struct list_head *"
	Size   int64  // bytes that its type takes
	Offset int64  // bytes from the start
	// BitOffset and BitSize place a bit field, in bits from the start; both are 0 for others.
	BitOffset, BitSize int64

	typ dwarf.Type
}

// ErrNoDWARF says that an object was compiled without debug information.
var ErrNoDWARF = errors.New("no debug information")

// Read reads an object. Of two types of one name, in different scopes, the last one counts: C allows that only within
// functions, whose types are left out.
func Read(object []byte) (u *Unit, err error) {
	defer func() {
		if r := recover(); r != nil { // debug/dwarf on an object that a strange compiler made
			u, err = nil, fmt.Errorf("debug information: %v", r)
		}
	}()
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	if f.Section(".debug_info") == nil {
		return nil, ErrNoDWARF
	}
	data, err := f.DWARF()
	if err != nil {
		return nil, fmt.Errorf("debug information: %w", err)
	}
	u = &Unit{Types: map[string]Type{}, Constants: map[string]Constant{}, Prototypes: map[string]Prototype{}, data: data}
	if err := u.read(); err != nil {
		return nil, fmt.Errorf("debug information: %w", err)
	}
	return u, nil
}

func (u *Unit) read() error {
	top, err := safedwarf.Top(u.data)
	if err != nil {
		return err
	}
	for _, e := range top {
		switch e.Tag {
		case dwarf.TagCompileUnit:
			u.files, err = lineFiles(u.data, e)
		case dwarf.TagStructType, dwarf.TagUnionType:
			err = u.namedType(e)
		case dwarf.TagTypedef, dwarf.TagVariable:
			err = u.unnamedType(e)
		case dwarf.TagEnumerationType:
			err = u.enum(e)
		case dwarf.TagSubprogram:
			err = u.prototype(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func lineFiles(data *dwarf.Data, unit *dwarf.Entry) ([]*dwarf.LineFile, error) {
	lr, err := data.LineReader(unit)
	if err != nil || lr == nil {
		return nil, err
	}
	// The table of files is complete once the program has been read: DWARF lets it grow.
	var le dwarf.LineEntry
	for err == nil {
		err = lr.Next(&le)
	}
	if err != io.EOF {
		return nil, err
	}
	return lr.Files(), nil
}

// place gives where an entry is declared; "" and 0 if that is not known.
func (u *Unit) place(e *dwarf.Entry) (file string, line int64) {
	if n, _ := e.Val(dwarf.AttrDeclFile).(int64); n > 0 && int(n) < len(u.files) && u.files[n] != nil {
		file = u.files[n].Name
	}
	line, _ = e.Val(dwarf.AttrDeclLine).(int64)
	return file, line
}

// namedType reads the definition of a type with a name; a declaration is none.
func (u *Unit) namedType(e *dwarf.Entry) error {
	if _, named := e.Val(dwarf.AttrName).(string); !named {
		return nil
	}
	typ, err := u.data.Type(e.Offset)
	if err != nil {
		return err
	}
	if s, ok := typ.(*dwarf.StructType); ok && !s.Incomplete {
		return u.add(s.Kind+" "+s.StructName, s, e)
	}
	return nil
}

// unnamedType reads the type without a name that a typedef or a variable has.
func (u *Unit) unnamedType(e *dwarf.Entry) error {
	name, named := e.Val(dwarf.AttrName).(string)
	off, typed := e.Val(dwarf.AttrType).(dwarf.Offset)
	if !named || !typed {
		return nil
	}
	typ, err := u.data.Type(off)
	if err != nil {
		return err
	}
	s := unnamed(typ)
	switch {
	case s == nil:
	case e.Tag == dwarf.TagTypedef:
		return u.add(name, s, e)
	default:
		return u.add(s.Kind+" of variable "+name, s, e)
	}
	return nil
}

// unnamed gives the struct or union without a name, of its own or of a typedef, that a type is, holds many of, or points
// to; nil if it is none.
func unnamed(t dwarf.Type) *dwarf.StructType {
	for range longest {
		switch x := t.(type) {
		case *dwarf.StructType:
			if x.StructName == "" && !x.Incomplete {
				return x
			}
			return nil
		case *dwarf.ArrayType:
			t = x.Type
		case *dwarf.PtrType:
			t = x.Type
		case *dwarf.QualType:
			t = x.Type
		default:
			return nil
		}
	}
	return nil
}

func (u *Unit) add(name string, s *dwarf.StructType, e *dwarf.Entry) error {
	t := Type{Name: name, Size: s.ByteSize, Members: flatten(s)}
	t.File, t.Line = u.place(e)
	if len(t.Members) >= mostMembers {
		return fmt.Errorf("%s at %s:%d has more than %d members", name, t.File, t.Line, mostMembers)
	}
	if u.members += len(t.Members) + 1; u.members > mostOfUnit {
		return fmt.Errorf("types of more than %d members", mostOfUnit)
	}
	if _, known := u.Types[name]; known && s.StructName == "" {
		return nil
	}
	u.Types[name] = t
	for _, m := range t.Members {
		if p, ok := m.typ.(*dwarf.PtrType); ok && unnamed(p) != nil && len(name) < 1<<10 {
			if err := u.add(fmt.Sprintf("what %s of %s points to", m.Name, name), unnamed(p), e); err != nil {
				return err
			}
		}
	}
	return nil
}

// Bounds of what is kept of a unit. The largest of the kernel's have about 5,000 members and a third of a million.
const (
	mostMembers = 1 << 16 // of one struct: more are a loop of types, and not all are listed
	mostOfUnit  = 1 << 22
)

// flatten lists the members, those of structs and unions without a name in their place.
func flatten(s *dwarf.StructType) []Member { return flattenInto(nil, s, "", 0, longest) }

// flattenInto does so for a struct at base; prefix names the member that it is in.
func flattenInto(out []Member, s *dwarf.StructType, prefix string, base int64, depth int) []Member {
	for _, f := range s.Field {
		if len(out) >= mostMembers {
			return out
		}
		m := Member{Name: f.Name, Type: name(f.Type), Size: size(f.Type), Offset: base + f.ByteOffset, BitSize: f.BitSize, typ: f.Type}
		if m.Name != "" {
			m.Name = prefix + m.Name
		}
		if f.BitSize != 0 {
			m.BitOffset = 8*base + f.DataBitOffset
			if f.DataBitOffset == 0 && f.ByteSize != 0 {
				m.BitOffset = 8*(base+f.ByteOffset) + 8*f.ByteSize - f.BitOffset - f.BitSize // DWARF 2 counts from the other end
			}
			m.Offset = m.BitOffset / 8
		}
		out = append(out, m)
		if _, pointer := f.Type.(*dwarf.PtrType); pointer {
			continue // a type of its own
		}
		if inner := unnamed(f.Type); inner != nil && depth > 0 {
			in := prefix
			if f.Name != "" {
				in += f.Name + "."
			}
			out = flattenInto(out, inner, in, base+f.ByteOffset, depth-1)
		}
	}
	return out
}
