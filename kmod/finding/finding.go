// Package finding reads changed code for what is safe to apply and yet worth a reviewer's attention: locks that change
// hands, functions that tasks wait in, and pointers that outlive the update. It only warns. What must not be applied is refused by packages diff and layout.
package finding

import (
	"fmt"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
)

// Code names a kind of warning. Each is described in docs/refusals.md, under "Warnings".
type Code = diff.Code

// The codes that this package gives.
const (
	LockBalance      Code = "lock-balance-changed" // a function returns with a lock that it did not return with before, or without one
	LockAdded        Code = "lock-added"           // replaced code takes a lock in more places than the old code
	LockRemoved      Code = "lock-removed"         // replaced code takes a lock in fewer places than the old code
	SleepsForever    Code = "sleeps-forever"       // tasks wait in a replaced function for as long as it takes
	ExportRemoved    Code = "export-removed"       // an exported symbol is gone, and stays in the running kernel
	SwitchedEarly    Code = "switched-early"       // a task in old code that livepatch does not look for goes on in it, and calls new code
	AddressHandedOut Code = "address-handed-out"   // something may keep pointers into the update
)

// Warning is one thing to look at before an update is applied. It does not change the exit code.
type Warning = diff.Finding

// Warnings are all warnings of an update or a unit.
type Warnings []Warning

// Sort puts warnings in the order of diff.SortFindings.
func (w Warnings) Sort() { diff.SortFindings(w) }

// Look gives the warnings on a compared unit. Code that cannot be followed, since it holds instructions that are not known
// or since its machine is not x86-64, is passed over: a warning is a help, not a proof.
func Look(r *diff.Result) (Warnings, error) {
	pre, err := newSide(r.Pre)
	if err != nil {
		return nil, fmt.Errorf("%s: pre: %w", r.Unit, err)
	}
	post, err := newSide(r.Post)
	if err != nil {
		return nil, fmt.Errorf("%s: post: %w", r.Unit, err)
	}
	l := &look{Result: r, pre: pre, post: post, brought: r.Brought()}
	l.gone = l.withoutCounterpart()
	l.locks()
	l.sleeps()
	l.early()
	l.handouts()
	l.exports()
	l.found.Sort()
	return l.found, nil
}

// look is one run of Look.
type look struct {
	*diff.Result
	pre, post *side
	brought   []*unit.Item // functions of post that an update brings
	gone      []*unit.Item // functions of pre without a counterpart
	found     Warnings
}

// withoutCounterpart gives the functions of pre that post does not have.
func (l *look) withoutCounterpart() []*unit.Item {
	stays := map[*unit.Item]bool{}
	for _, it := range l.Post.Items {
		stays[l.PreOf(it)] = true
	}
	var out []*unit.Item
	for _, pre := range l.Pre.Items {
		if pre.Kind == unit.Function && pre.Parent == nil && !stays[pre] {
			out = append(out, pre)
		}
	}
	return out
}

func (l *look) warn(code Code, it *unit.Item, reason, remedy string) {
	l.found = append(l.found, Warning{Code: code, Unit: l.Unit, Subject: it.Name, Source: l.Post.Source(it), Reason: reason, Remedy: remedy})
}

// side is one of the two objects, with the control flow of those of its functions that were asked for.
type side struct {
	unit   *unit.Unit
	tables unit.Tables
	flows  map[*unit.Item]*flow
}

func newSide(u *unit.Unit) (*side, error) {
	tables, err := u.Tables()
	return &side{unit: u, tables: tables, flows: map[*unit.Item]*flow{}}, err
}

// flow is a function's control flow; nil if it cannot be followed.
func (s *side) flow(it *unit.Item) *flow {
	it = whole(it)
	f, known := s.flows[it]
	if !known && it != nil {
		f = newFlow(s.unit, it, s.tables)
		s.flows[it] = f
	}
	return f
}
