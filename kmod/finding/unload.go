package finding

import (
	"fmt"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
)

// Update says how an extract of an update is read.
type Update struct {
	Types unit.Types // of the shipped kernel
	// Lockdep says whether the kernel keeps the names and keys of locks: CONFIG_LOCKDEP.
	Lockdep bool
	// Defines says whether a unit of the update defines a name.
	Defines func(name string) bool
	// Leads gives the function that a call of an undefined symbol of the extract leads to.
	Leads func(symbol string) Callee
}

// Holds gives what of an extract may be in use after no function of the kernel leads to the update any more: with one of
// these, the module has to stay. All code is followed that the module will have of the unit, so that what it refers to in the running kernel
// does not count. The items are those of a unit made of the extract; literals have no name in it.
func (c Update) Holds(x *diff.Extract) ([]Held, error) {
	u, err := unit.New(x.Obj)
	if err != nil {
		return nil, fmt.Errorf("%s: extract: %w", x.Unit, err)
	}
	u.Types = c.Types
	s, err := newSide(u)
	if err != nil {
		return nil, fmt.Errorf("%s: extract: %w", x.Unit, err)
	}
	others := map[string]*unit.Item{}
	mine := func(ref unit.Ref) *unit.Item {
		switch {
		case ref.To != nil || ref.External == nil || !c.Defines(ref.External.Name):
			return ref.To
		case others[ref.External.Name] == nil:
			others[ref.External.Name] = &unit.Item{Kind: unit.Datum, Name: ref.External.Name, End: 1}
		}
		return others[ref.External.Name]
	}
	// The functions that the kernel enters have a global symbol for the module's list, those that other units of the update
	// call their own.
	h := carried{side: s, mine: mine, leads: c.Leads, entered: (*unit.Item).Global, lockdep: c.Lockdep}
	for _, it := range u.Items {
		if it.Kind == unit.Function && it.Parent == nil {
			h.functions = append(h.functions, it)
		}
	}
	return h.held(), nil
}
