package layout

import (
	"debug/dwarf"
	"fmt"
	"strings"
)

// name writes a type in C's words, as a declaration of something without a name would have it.
func name(t dwarf.Type) string { return nameTo(t, longest) }

func nameTo(t dwarf.Type, depth int) string {
	if depth--; depth == 0 {
		return "..."
	}
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
		return x.Qual + " " + nameTo(x.Type, depth)
	case *dwarf.PtrType:
		if f, ok := x.Type.(*dwarf.FuncType); ok {
			return nameTo(f.ReturnType, depth) + " (*)" + parameters(f, depth)
		}
		inner := nameTo(x.Type, depth)
		if strings.HasSuffix(inner, "*") {
			return inner + "*"
		}
		return inner + " *"
	case *dwarf.ArrayType:
		if x.Count < 0 {
			return nameTo(x.Type, depth) + "[]"
		}
		return fmt.Sprintf("%s[%d]", nameTo(x.Type, depth), x.Count)
	case *dwarf.FuncType:
		return nameTo(x.ReturnType, depth) + " " + parameters(x, depth)
	}
	return t.Common().Name
}

func parameters(f *dwarf.FuncType, depth int) string {
	var params []string
	for _, p := range f.ParamType {
		if _, dots := p.(*dwarf.DotDotDotType); dots {
			params = append(params, "...")
			continue
		}
		params = append(params, nameTo(p, depth))
	}
	if len(params) == 0 {
		return "(void)"
	}
	return "(" + strings.Join(params, ", ") + ")"
}

// longest bounds how many types may stand one in another: more are a loop, which no compiler makes.
const longest = 64

// bare takes typedefs and qualifiers off; nil for void.
func bare(t dwarf.Type) dwarf.Type {
	for range longest {
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
	return nil
}

// typedef gives the innermost name that typedefs give a type; "" if there is none.
func typedef(t dwarf.Type) (name string) {
	for range longest {
		switch x := t.(type) {
		case *dwarf.TypedefType:
			t, name = x.Type, x.Name
		case *dwarf.QualType:
			t = x.Type
		default:
			return name
		}
	}
	return name
}

// size is the bytes that a value of a type takes; 0 if that is not known.
func size(t dwarf.Type) int64 {
	n := int64(1)
	for range longest {
		switch x := bare(t).(type) {
		case nil:
			return 0
		case *dwarf.ArrayType:
			n, t = n*max(x.Count, 0), x.Type
		default:
			return n * x.Size()
		}
	}
	return 0
}

// compatible says whether code that takes a value for one of b understands what other code left as one of a: numbers of
// the same size, pointers to the same thing. How deep pointers are followed is bounded by depth; beyond it, types count as
// compatible.
func compatible(a, b dwarf.Type, depth int) bool {
	// A struct without a name is compared by itself where both are called the same: see Unit.Types.
	alike := typedef(a) == typedef(b)
	a, b = bare(a), bare(b)
	if a == nil || b == nil || depth == 0 {
		return depth == 0 || a == nil && b == nil
	}
	if number(a) && number(b) {
		return a.Size() == b.Size()
	}
	switch x := a.(type) {
	case *dwarf.PtrType:
		y, ok := b.(*dwarf.PtrType)
		return ok && (bare(x.Type) == nil || bare(y.Type) == nil || compatible(x.Type, y.Type, depth-1))
	case *dwarf.ArrayType:
		y, ok := b.(*dwarf.ArrayType)
		return ok && x.Count == y.Count && compatible(x.Type, y.Type, depth-1)
	case *dwarf.StructType:
		y, ok := b.(*dwarf.StructType)
		return ok && x.Kind == y.Kind && (x.StructName == y.StructName && (x.StructName != "" || alike) || samePlaces(flatten(x), flatten(y)) && x.ByteSize == y.ByteSize ||
			wraps(x, y) || wraps(y, x))
	case *dwarf.FuncType:
		y, ok := b.(*dwarf.FuncType)
		return ok && compatibleFunc(x, y, depth-1)
	case *dwarf.FloatType:
		_, ok := b.(*dwarf.FloatType)
		return ok && a.Size() == b.Size()
	}
	return name(a) == name(b)
}

// wraps says whether a struct holds nothing but another one, at any depth: without PREEMPT_RT and lockdep a spinlock_t is a
// raw_spinlock_t, and a change from one to the other leaves every byte where it was.
//
// Source: include/linux/spinlock_types.h, v6.1.
func wraps(outer, inner *dwarf.StructType) bool {
	for inner.StructName != "" && outer.ByteSize == inner.ByteSize {
		var only *dwarf.StructType
		for _, m := range flatten(outer) {
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

func compatibleFunc(a, b *dwarf.FuncType, depth int) bool {
	if len(a.ParamType) != len(b.ParamType) || !compatible(a.ReturnType, b.ReturnType, depth) {
		return false
	}
	for i := range a.ParamType {
		if !compatible(a.ParamType[i], b.ParamType[i], depth) {
			return false
		}
	}
	return true
}

// number says whether a type's values are whole numbers.
func number(t dwarf.Type) bool {
	switch t.(type) {
	case *dwarf.IntType, *dwarf.UintType, *dwarf.CharType, *dwarf.UcharType, *dwarf.BoolType, *dwarf.EnumType:
		return true
	}
	return false
}

// deepest is how many pointers are followed where types are compared: a pointer to a function that takes a pointer to a
// struct needs three.
const deepest = 4
