package layout

import (
	"debug/dwarf"
	"fmt"
	"strings"
)

// name writes a type in C's words, as a declaration of something without a name would have it. What is longer than any
// declaration that a person reads is cut: "...".
func name(t dwarf.Type) string {
	const most = 256 // types, counted wherever they occur
	n := naming{left: most}
	return n.name(t, longest)
}

// naming bounds a name.
type naming struct{ left int }

func (n *naming) name(t dwarf.Type, depth int) string {
	if n.left--; n.left < 0 || depth == 0 {
		return "..."
	}
	depth--
	switch x := t.(type) {
	case nil:
		return "void"
	case *dwarf.VoidType:
		return "void"
	case *dwarf.StructType:
		if x.StructName == "" {
			return "anonymous " + x.Kind
		}
		return x.Kind + " " + x.StructName
	case *dwarf.EnumType:
		if x.EnumName == "" {
			return "anonymous enum"
		}
		return "enum " + x.EnumName
	case *dwarf.QualType:
		return x.Qual + " " + n.name(x.Type, depth)
	case *dwarf.PtrType:
		if f, ok := x.Type.(*dwarf.FuncType); ok {
			return n.name(f.ReturnType, depth) + " (*)" + n.parameters(f, depth)
		}
		inner := n.name(x.Type, depth)
		if strings.HasSuffix(inner, "*") {
			return inner + "*"
		}
		return inner + " *"
	case *dwarf.ArrayType:
		if x.Count < 0 {
			return n.name(x.Type, depth) + "[]"
		}
		return fmt.Sprintf("%s[%d]", n.name(x.Type, depth), x.Count)
	case *dwarf.FuncType:
		return n.name(x.ReturnType, depth) + " " + n.parameters(x, depth)
	}
	return t.Common().Name
}

func (n *naming) parameters(f *dwarf.FuncType, depth int) string {
	var params []string
	for _, p := range f.ParamType {
		if _, dots := p.(*dwarf.DotDotDotType); dots || n.left <= 0 {
			params = append(params, "...")
			break
		}
		params = append(params, n.name(p, depth))
	}
	if len(params) == 0 {
		return "(void)"
	}
	return "(" + strings.Join(params, ", ") + ")"
}

// longest bounds how many types a name or a path leads through, and how many structs without names stand one in another.
const longest = 64

// bare takes typedefs and qualifiers off; nil for void.
func bare(t dwarf.Type) dwarf.Type {
	for { // ends: see safedwarf.Top
		switch x := t.(type) {
		case *dwarf.TypedefType:
			t = x.Type
		case *dwarf.QualType:
			t = x.Type
		case *dwarf.VoidType:
			return nil
		default:
			return t
		}
	}
}

// typedef gives the innermost name that typedefs give a type; "" if there is none.
func typedef(t dwarf.Type) (name string) {
	for { // ends: see safedwarf.Top
		switch x := t.(type) {
		case *dwarf.TypedefType:
			t, name = x.Type, x.Name
		case *dwarf.QualType:
			t = x.Type
		default:
			return name
		}
	}
}

// size is the bytes that a value of a type takes; 0 if that is not known.
func size(t dwarf.Type) int64 {
	n := int64(1)
	for { // ends: see safedwarf.Top
		switch x := bare(t).(type) {
		case nil:
			return 0
		case *dwarf.ArrayType:
			n, t = n*max(x.Count, 0), x.Type
		default:
			return n * x.Size()
		}
	}
}

// wraps says whether a struct holds nothing but another one, at any depth: without PREEMPT_RT and lockdep a spinlock_t is a
// raw_spinlock_t, and a change from one to the other leaves every byte where it was.
//
// Source: include/linux/spinlock_types.h, v6.1.
func (p *pairs) wraps(outer, inner *dwarf.StructType) bool {
	for range longest {
		if inner.StructName == "" || outer.ByteSize != inner.ByteSize {
			return false
		}
		var only *dwarf.StructType
		for _, m := range p.flat(outer) {
			if m.Name == "" {
				continue // an anonymous union, whose members follow
			}
			s, ok := bare(m.typ).(*dwarf.StructType)
			if only != nil || !ok || m.Offset != 0 || m.Size != outer.ByteSize {
				return false
			}
			only = s
		}
		if only == nil {
			return false
		}
		if only.StructName == inner.StructName {
			return true
		}
		outer = only
	}
	return false
}

// number says whether a type's values are whole numbers.
func number(t dwarf.Type) bool {
	switch t.(type) {
	case *dwarf.IntType, *dwarf.UintType, *dwarf.CharType, *dwarf.UcharType, *dwarf.BoolType, *dwarf.EnumType:
		return true
	}
	return false
}
