package layout

import (
	"debug/dwarf"
	"sort"
	"strings"
)

// Prototype is what a function takes and gives.
type Prototype struct {
	Name   string
	Global bool
	// File and Line are where the function is defined.
	File string
	Line int64

	result dwarf.Type
	params []dwarf.Type
	dots   bool
}

// PrototypeChange is a function that callers compiled before must call otherwise.
type PrototypeChange struct{ Pre, Post Prototype }

// prototype reads a function's definition, or the abstract one that an inlined function has.
func (u *Unit) prototype(e *dwarf.Entry) error {
	p := Prototype{}
	p.Name, _ = e.Val(dwarf.AttrName).(string)
	p.Global, _ = e.Val(dwarf.AttrExternal).(bool)
	if declared, _ := e.Val(dwarf.AttrDeclaration).(bool); declared || p.Name == "" {
		return nil
	}
	p.File, p.Line = u.place(e)
	var err error
	if off, ok := e.Val(dwarf.AttrType).(dwarf.Offset); ok {
		if p.result, err = u.data.Type(off); err != nil {
			return err
		}
	}
	r := u.data.Reader()
	r.Seek(e.Offset)
	if _, err := r.Next(); err != nil || !e.Children {
		u.Prototypes[p.Name] = p
		return err
	}
	for {
		c, err := r.Next()
		if err != nil {
			return err
		}
		if c == nil || c.Tag == 0 {
			break
		}
		switch c.Tag {
		case dwarf.TagFormalParameter:
			var t dwarf.Type
			if off, ok := c.Val(dwarf.AttrType).(dwarf.Offset); ok {
				if t, err = u.data.Type(off); err != nil {
					return err
				}
			}
			p.params = append(p.params, t)
		case dwarf.TagUnspecifiedParameters:
			p.dots = true
		}
		r.SkipChildren()
	}
	u.Prototypes[p.Name] = p
	return nil
}

// ComparePrototypes gives the global functions of pre that post defines too and that cannot be called alike, by name.
func ComparePrototypes(pre, post *Unit) []PrototypeChange {
	var changes []PrototypeChange
	types := pre.against(post)
	for name, a := range pre.Prototypes {
		b, ok := post.Prototypes[name]
		if ok && a.Global && !a.sameCall(b, types) {
			changes = append(changes, PrototypeChange{a, b})
		}
	}
	sort.Slice(changes, func(i, j int) bool { return changes[i].Pre.Name < changes[j].Pre.Name })
	return changes
}

// SameCall says whether who calls one of two functions as it must be called can call the other in the same way.
func (p Prototype) SameCall(q Prototype) bool { return p.sameCall(q, newPairs()) }

func (p Prototype) sameCall(q Prototype, types *pairs) bool {
	if len(p.params) != len(q.params) || p.dots != q.dots || !types.compatible(p.result, q.result) {
		return false
	}
	for i := range p.params {
		if !types.compatible(p.params[i], q.params[i]) {
			return false
		}
	}
	return true
}

// String is the prototype as C has it, without the names of parameters: "int f(struct s *, ...)".
func (p Prototype) String() string {
	var params []string
	for _, t := range p.params {
		params = append(params, name(t))
	}
	if p.dots {
		params = append(params, "...")
	}
	if len(params) == 0 {
		params = []string{"void"}
	}
	result := name(p.result)
	if !strings.HasSuffix(result, "*") {
		result += " "
	}
	return result + p.Name + "(" + strings.Join(params, ", ") + ")"
}
