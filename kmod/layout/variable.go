package layout

import (
	"debug/dwarf"
	"fmt"
)

// VariableChange is a variable of which new code takes for something else what old code left there.
type VariableChange struct {
	Name      string
	Pre, Post string // types in C's words
	// What tells which members differ, of types that are called the same: those of functions, which Compare leaves out.
	What string
}

// CompareVariable compares the types of a variable, of file scope or static in a function. ok is false where they are alike,
// where one of the units does not say, and where several variables of that name have different types.
func CompareVariable(pre, post *Unit, variable string) (c VariableChange, ok bool) {
	defer func() {
		if recover() != nil { // debug/dwarf on an object that a strange compiler made
			ok = false
		}
	}()
	a, b := pre.variable(variable), post.variable(variable)
	if a == nil || b == nil {
		return c, false
	}
	c = VariableChange{Name: variable, Pre: name(a), Post: name(b)}
	p := pre.against(post)
	if !p.compatible(a, b) {
		return c, true
	}
	x, y := element(a), element(b)
	if x == nil || y == nil {
		return c, false
	}
	if fields := p.fields(p.flat(x), p.flat(y)); len(fields) > 0 || x.ByteSize != y.ByteSize {
		of := x.Kind + " " + x.StructName
		if x.StructName == "" {
			of = x.Kind + " of variable " + variable
		}
		_, known := pre.Types[of]
		c.What = Change{Pre: Type{Size: x.ByteSize}, Post: Type{Size: y.ByteSize}, Fields: fields}.String()
		return c, !known // of a type of the whole unit, Compare tells, and whether code depends on it
	}
	return c, false
}

// element gives the struct or union that a variable is or holds many of; nil if it is none.
func element(t dwarf.Type) *dwarf.StructType {
	for range longest {
		switch x := bare(t).(type) {
		case *dwarf.StructType:
			return x
		case *dwarf.ArrayType:
			t = x.Type
		default:
			return nil
		}
	}
	return nil
}

// String says what differs: "the type changes from int to long".
func (c VariableChange) String() string {
	if c.What != "" {
		return fmt.Sprintf("the layout of its type, %s, changes: %s", c.Pre, c.What)
	}
	return fmt.Sprintf("the type changes from %s to %s", c.Pre, c.Post)
}
