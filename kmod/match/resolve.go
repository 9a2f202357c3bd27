package match

import (
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// Binding is the place in the shipped kernel that a symbol of an update stands for.
type Binding struct {
	vmlinux.Place
	// By is "reference" when a proven function refers to it, "bytes" for a function that is proven itself, "name" when
	// only patched code refers to it and there is exactly one global symbol of the name.
	By string `json:"by"`
}

// Replaced checks that a function to be replaced is proven, and gives its place and its bytes in run.
func (r *Result) Replaced(it *unit.Item) (b Binding, code []byte, err error) {
	f := r.m.byItem[it]
	if f == nil || f.found == nil {
		return b, nil, r.unproven(it)
	}
	if b, err = r.symbol(it, f.found.addr, "bytes"); err != nil {
		return b, nil, err
	}
	code, ok := r.m.run.Bytes(f.found.addr, f.found.size)
	if !ok {
		return b, nil, r.unproven(it)
	}
	return b, code, nil
}

// Resolve finds the place that an undefined symbol of an extract stands for, and fails with *Mismatch when nothing
// proves it.
func (r *Result) Resolve(n diff.Need) (Binding, error) {
	if n.Pre != nil {
		return r.resolveItem(n.Pre)
	}
	if addr, ok := r.Extern(n.Name); ok {
		for _, s := range r.m.run.Lookup(n.Name) {
			if s.Addr == addr {
				return r.binding(s, "reference")
			}
		}
		return Binding{}, r.differ(n.Name, addr, "the symbol table of the shipped binary does not know the name, so that nothing can refer to it")
	}
	return r.global(n.Name)
}

func (r *Result) resolveItem(it *unit.Item) (Binding, error) {
	if it.Kind == unit.Function {
		if f := r.m.byItem[it]; it.Weak() && f != nil && f.found == nil {
			return r.overridden(it)
		}
		b, _, err := r.Replaced(it)
		return b, err
	}
	addr, ok := r.Located(it)
	by := "reference"
	if !ok {
		// No proven function of pre refers to it: an item that only patched code, or data, uses.
		// The number behind a static local's name is no evidence: another unit may have one that is called the same.
		all := slices.DeleteFunc(slices.Clone(r.m.run.Lookup(it.Name)), r.m.run.IsCode)
		if len(all) != 1 || unit.BaseName(it.Name) != it.Name {
			return Binding{}, r.differ(it.Name, 0, fmt.Sprintf("no function of the unit that is proven refers to it, and the shipped binary has %d data symbols of the name", len(all)))
		}
		addr, by = all[0].Addr, "name"
	}
	a := r.m.attempt(addr)
	if d := a.compare(it, addr); d != nil {
		return Binding{}, &Mismatch{Differences: []Difference{*r.m.describe(it, addr, d)}}
	}
	return r.symbol(it, addr, by)
}

// overridden finds the definition that the final link took instead of a weak function of the unit.
func (r *Result) overridden(it *unit.Item) (Binding, error) {
	if addr, ok := r.Located(it); ok {
		return r.symbol(it, addr, "reference")
	}
	return r.global(it.Name)
}

// global finds a name that no proven function refers to. A final link has one global definition of a name.
func (r *Result) global(name string) (Binding, error) {
	found := r.m.run.Globals(name)
	if len(found) != 1 {
		return Binding{}, r.differ(name, 0, fmt.Sprintf("the patched code refers to it, and the shipped binary has %d global symbols of the name", len(found)))
	}
	return Binding{Place: found[0], By: "name"}, nil
}

// ReadOnlyAfterBoot says whether an address is in the data that is read-only after boot and that even jump labels must
// not write to: kernels from 6.10 on leave it alone when they link a module's branches.
func (r *Result) ReadOnlyAfterBoot(addr uint64) bool {
	if len(r.m.run.Lookup("jump_label_init_ro")) > 0 {
		return false
	}
	start, end := r.m.run.Lookup("__start_ro_after_init"), r.m.run.Lookup("__end_ro_after_init")
	return len(start) == 1 && len(end) == 1 && addr >= start[0].Addr && addr < end[0].Addr
}

// symbol gives the entry of the shipped symbol table for an item.
func (r *Result) symbol(it *unit.Item, addr uint64, by string) (Binding, error) {
	s, ok := r.m.symbolOf(it, addr)
	if !ok {
		return Binding{}, r.differ(it.Name, addr, "the shipped binary has no symbol of this name there")
	}
	return r.binding(s, by)
}

func (r *Result) binding(s vmlinux.Symbol, by string) (Binding, error) {
	p, ok := r.m.run.Place(s)
	if !ok {
		return Binding{}, r.differ(s.Name, 0, "the shipped module refers to it, and neither vmlinux nor the modules that it is linked with export it")
	}
	return Binding{Place: p, By: by}, nil
}

func (r *Result) unproven(it *unit.Item) error {
	if f := r.m.byItem[it]; f != nil && f.found == nil {
		return &Mismatch{Differences: []Difference{r.m.explain(f)}}
	}
	return r.differ(it.Name, 0, "not located")
}

func (r *Result) differ(subject string, addr uint64, reason string) error {
	return &Mismatch{Differences: []Difference{{Unit: r.Unit, Subject: subject, Address: addr, Reason: reason}}}
}

// Conflicts are contradictions between functions that are each proven: they should not exist.
func (r *Result) Conflicts() error {
	if len(r.m.conflicts) == 0 {
		return nil
	}
	return &Mismatch{Differences: r.m.conflicts}
}

// Join collects the differences of several errors into one *Mismatch; other errors are returned as they are.
func Join(errs ...error) error {
	var all Mismatch
	seen := map[string]bool{}
	for _, err := range errs {
		m, ok := err.(*Mismatch)
		switch {
		case err == nil:
			continue
		case !ok:
			return err
		}
		for _, d := range m.Differences {
			if key := strings.Join([]string{d.Unit, d.Subject, d.Reason}, "\x00"); !seen[key] {
				seen[key] = true
				all.Differences = append(all.Differences, d)
			}
		}
	}
	if len(all.Differences) == 0 {
		return nil
	}
	return &all
}

// Unexplained is a *Mismatch of all functions that are not located and for which the way a kernel is linked is no
// reason: weak ones that another definition overrides, and those of discarded sections.
func (r *Result) Unexplained() error {
	var all Mismatch
	for _, f := range r.m.functions {
		if f.found == nil && f.absent() == "" {
			all.Differences = append(all.Differences, r.m.explain(f))
		}
	}
	if len(all.Differences) == 0 {
		return nil
	}
	return &all
}
