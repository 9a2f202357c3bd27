package layout

import (
	"debug/dwarf"
	"fmt"
	"slices"
)

// Users gives the functions that have a variable or parameter of each type, of a pointer to it or of an array of it,
// functions inlined into them included. Who only passes through such a type on the way to another (a->b->c) is not among
// them: debug information does not tell.
func (u *Unit) Users() (users map[string][]string, err error) {
	users = map[string][]string{}
	err = u.walkVariables(func(function, _, typ string) {
		if !slices.Contains(users[typ], function) {
			users[typ] = append(users[typ], function)
		}
	})
	for _, names := range users {
		slices.Sort(names)
	}
	return users, err
}

// walkVariables shows the variables and parameters of functions that lead to a struct or union, by their names.
func (u *Unit) walkVariables(see func(function, variable, typ string)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("debug information: %v", r)
		}
	}()
	w := &userWalk{unit: u, types: map[dwarf.Offset]string{}, see: see}
	r := u.data.Reader()
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			return err
		}
		switch e.Tag {
		case dwarf.TagCompileUnit:
			continue
		case dwarf.TagSubprogram:
			if !e.Children {
				continue
			}
			if err := w.function(r, e); err != nil {
				return err
			}
			continue
		}
		r.SkipChildren()
	}
}

type userWalk struct {
	unit  *Unit
	types map[dwarf.Offset]string // name of the struct or union that a type leads to, by the type's place
	see   func(function, variable, typ string)
}

// function reads the entries below a function up to its end.
func (w *userWalk) function(r *dwarf.Reader, fn *dwarf.Entry) error {
	name := w.name(fn)
	for depth := 1; depth > 0; {
		e, err := r.Next()
		if err != nil || e == nil {
			return err
		}
		switch e.Tag {
		case 0:
			depth--
			continue
		case dwarf.TagVariable, dwarf.TagFormalParameter:
			if t := w.leadsTo(e); t != "" && name != "" {
				w.see(name, w.name(e), t)
			}
		}
		if e.Children {
			depth++
		}
	}
	return nil
}

// origin gives the entry that another is an instance of, or itself.
func (w *userWalk) origin(e *dwarf.Entry) *dwarf.Entry {
	for range longest {
		off, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			return e
		}
		r := w.unit.data.Reader()
		r.Seek(off)
		next, err := r.Next()
		if err != nil || next == nil {
			return e
		}
		e = next
	}
	return e
}

// name is that of a function, variable or parameter; "" if it has none.
func (w *userWalk) name(e *dwarf.Entry) string {
	name, _ := w.origin(e).Val(dwarf.AttrName).(string)
	return name
}

// leadsTo names the struct or union that a variable is, holds many of, or points to.
func (w *userWalk) leadsTo(e *dwarf.Entry) string {
	off, ok := w.origin(e).Val(dwarf.AttrType).(dwarf.Offset)
	if !ok {
		return ""
	}
	found, known := w.types[off]
	if known {
		return found
	}
	typ, err := w.unit.data.Type(off)
	if err == nil {
		found = structName(typ)
	}
	w.types[off] = found
	return found
}

// structName gives the name, as Unit.Types has it, of what a type leads to through pointers and arrays.
func structName(t dwarf.Type) string {
	typedef := ""
	for range longest {
		switch x := t.(type) {
		case *dwarf.TypedefType:
			t, typedef = x.Type, x.Name
		case *dwarf.QualType:
			t = x.Type
		case *dwarf.PtrType:
			t, typedef = x.Type, ""
		case *dwarf.ArrayType:
			t, typedef = x.Type, ""
		case *dwarf.StructType:
			if x.StructName == "" {
				return typedef
			}
			return x.Kind + " " + x.StructName
		default:
			return ""
		}
	}
	return ""
}
