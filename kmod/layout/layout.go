// Package layout compares the structs and unions of two objects of one unit by their DWARF data. A struct whose members
// moved cannot be changed live: objects of it that exist keep the old layout, while the new code reads the new one.
package layout

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
)

// Type is a struct or union that the unit defines or includes, outside of functions.
type Type struct {
	Name    string // "struct foo", "union bar"
	Size    int64  // bytes
	File    string // where it is defined, as the compiler was told
	Line    int64
	Members []Member // in order of declaration
}

// Member is one field.
type Member struct {
	Name   string // empty for an anonymous struct or union
	Type   string // in C's words: "int", "struct list_head *"
	Size   int64  // bytes that its type takes
	Offset int64  // bytes from the start
	// BitOffset and BitSize place a bit field, in bits from the start; both are 0 for others.
	BitOffset, BitSize int64
}

// Change is a type that differs.
type Change struct {
	Pre, Post Type
	What      string // "size 24 to 32 bytes", "member x moves from byte 8 to 16"
}

// ErrNoDWARF says that an object was compiled without debug information.
var ErrNoDWARF = errors.New("no debug information")

// Read gives the types of an object by name. A name that two types of one unit share, in different scopes, is left
// out: C allows that only within functions.
func Read(object []byte) (types map[string]Type, err error) {
	defer func() {
		if r := recover(); r != nil { // debug/dwarf on an object that a strange compiler made
			types, err = nil, fmt.Errorf("debug information: %v", r)
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
	return readUnits(data)
}

func readUnits(data *dwarf.Data) (map[string]Type, error) {
	types := map[string]Type{}
	var files []*dwarf.LineFile
	r := data.Reader()
	for {
		e, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("debug information: %w", err)
		}
		if e == nil {
			return types, nil
		}
		switch e.Tag {
		case dwarf.TagCompileUnit:
			if files, err = lineFiles(data, e); err != nil {
				return nil, err
			}
			continue // its children follow
		case dwarf.TagStructType, dwarf.TagUnionType:
			t, ok, err := structType(data, e)
			if err != nil {
				return nil, err
			}
			if ok {
				if n, _ := e.Val(dwarf.AttrDeclFile).(int64); n > 0 && int(n) < len(files) && files[n] != nil {
					t.File = files[n].Name
				}
				t.Line, _ = e.Val(dwarf.AttrDeclLine).(int64)
				types[t.Name] = t
			}
		}
		r.SkipChildren()
	}
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
		return nil, fmt.Errorf("debug information: %w", err)
	}
	return lr.Files(), nil
}

// structType reads one definition; ok is false for a declaration and for a type without a name.
func structType(data *dwarf.Data, e *dwarf.Entry) (t Type, ok bool, err error) {
	if _, named := e.Val(dwarf.AttrName).(string); !named {
		return t, false, nil
	}
	typ, err := data.Type(e.Offset)
	if err != nil {
		return t, false, fmt.Errorf("debug information: %w", err)
	}
	s, isStruct := typ.(*dwarf.StructType)
	if !isStruct || s.Incomplete {
		return t, false, nil
	}
	t = Type{Name: s.Kind + " " + s.StructName, Size: s.ByteSize}
	t.Members = flatten(nil, s, 0)
	return t, true, nil
}

// flatten lists the members, those of anonymous structs and unions in their place.
func flatten(out []Member, s *dwarf.StructType, base int64) []Member {
	for _, f := range s.Field {
		m := Member{Name: f.Name, Type: f.Type.String(), Size: f.Type.Size(), Offset: base + f.ByteOffset, BitSize: f.BitSize}
		if f.BitSize != 0 {
			m.BitOffset = 8*base + f.DataBitOffset
			if f.DataBitOffset == 0 && f.ByteSize != 0 {
				m.BitOffset = 8*(base+f.ByteOffset) + 8*f.ByteSize - f.BitOffset - f.BitSize // DWARF 2 counts from the other end
			}
			m.Offset = m.BitOffset / 8
		}
		if inner, ok := f.Type.(*dwarf.StructType); ok && inner.StructName == "" {
			m.Type = "anonymous " + inner.Kind
			out = append(out, m)
			out = flatten(out, inner, base+f.ByteOffset)
			continue
		}
		out = append(out, m)
	}
	return out
}

// Compare gives the types that both have and whose layout differs, by name. A member's new name, or a new type of the
// same size for it, is no change of layout.
func Compare(pre, post map[string]Type) []Change {
	var changes []Change
	for name, a := range pre {
		b, ok := post[name]
		if !ok {
			continue
		}
		if what := difference(a, b); what != "" {
			changes = append(changes, Change{Pre: a, Post: b, What: what})
		}
	}
	sort.Slice(changes, func(i, j int) bool { return changes[i].Pre.Name < changes[j].Pre.Name })
	return changes
}

// place is where a member is.
type place struct{ offset, bitOffset, bitSize, size int64 }

func (m Member) place() place { return place{m.Offset, m.BitOffset, m.BitSize, m.Size} }

// difference names the first difference, a member's before that of the whole.
func difference(a, b Type) string {
	byName := map[string]Member{}
	for _, m := range b.Members {
		if m.Name != "" {
			byName[m.Name] = m
		}
	}
	places := func(t Type) []place {
		var out []place
		for _, m := range t.Members {
			out = append(out, m.place())
		}
		return out
	}
	pa, pb := places(a), places(b)
	if a.Size == b.Size && slices.Equal(pa, pb) {
		return ""
	}
	for _, m := range a.Members {
		if n, ok := byName[m.Name]; ok && n.place() != m.place() {
			if n.Offset != m.Offset {
				return fmt.Sprintf("member %s moves from byte %d to %d", m.Name, m.Offset, n.Offset)
			}
			return fmt.Sprintf("member %s changes its size, %s to %s", m.Name, m.Type, n.Type)
		}
	}
	for _, m := range b.Members {
		if m.Name != "" && !slices.Contains(pa, m.place()) {
			return fmt.Sprintf("member %s is new at byte %d", m.Name, m.Offset)
		}
	}
	if a.Size != b.Size {
		return fmt.Sprintf("size %d to %d bytes", a.Size, b.Size)
	}
	return "other members"
}
