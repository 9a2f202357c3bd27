package link

import (
	"errors"
	"fmt"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/match"
	"livesplice/kmod/module"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// Kernel is what Verify asks of the shipped kernel.
type Kernel struct {
	Run match.Run // vmlinux
	// Modules are the images of the patched modules, and of those that they import from, by name.
	Modules  map[string]*module.Image
	Export   func(name string) (vmlinux.Export, bool)
	Symvers  vmlinux.Symvers
	Vermagic string // of the shipped modules; "" leaves the check to the release alone
	Release  string
}

// freed is what says of a target which places it frees.
func (k Kernel) freed(target string) func(addr uint64) bool {
	if im, ok := k.Run.(interface{ Freed(addr uint64) bool }); ok && target == vmlinux.Object {
		return im.Freed
	}
	if im := k.Modules[target]; im != nil {
		return im.Freed
	}
	return nil
}

// Verify reads the finished module as the kernel will and holds it against what the compiler made of the patched
// source, not against what the makers of the module meant to do: every function that changed must be in the module's
// list under the name and position that matching proved, or be carried for callers that are; every instruction,
// relocated field, cold part and table entry must be that of post; each name must resolve, in the shipped tables, to
// the address that matching inferred; and the module must hold nothing else. A module with a wrong addend or callee
// loads without complaint, so that this is the only place where it can be noticed.
//
// Of the earlier stages it trusts which item of post is which of pre, and where matching found the items of pre. What
// changed, what has to be carried, and where a reference must lead, it finds out by itself.
func Verify(file []byte, units []Unit, k Kernel) error {
	ko, err := elfobj.Read(file)
	if err != nil {
		return fmt.Errorf("module: %w", err)
	}
	errs := append(form(ko), modinfo(ko, k))
	errs = append(errs, versions(ko, k)...)
	if err := errors.Join(errs...); err != nil {
		return err // what follows relies on the form
	}
	late := lateRelocs(ko)
	Unsplit(ko)
	v := &verifier{k: k, late: late, sideOf: map[*unit.Item]*side{}, home: map[*unit.Item]*unit.Item{}, back: map[*unit.Item]*unit.Item{}, globals: map[string]owned{}, pieces: map[span]*unit.Item{}}
	if v.mod, err = unit.New(ko); err != nil {
		return fmt.Errorf("module: %w", err)
	}
	if len(units) > 0 {
		v.mod.Types = units[0].Diff.Options.Types
	}
	if v.tables, err = v.mod.Tables(); err != nil {
		return fmt.Errorf("module: %w", err)
	}
	list, err := v.functionList()
	if err != nil {
		return fmt.Errorf("module: %w", err)
	}
	for _, u := range units {
		s, err := newSide(u, k.freed(u.Target))
		if err != nil {
			return fmt.Errorf("%s: %w", u.Diff.Unit, err)
		}
		v.sides = append(v.sides, s)
		for _, it := range u.Diff.NewGlobals() {
			for _, y := range it.Syms {
				if other := v.globals[y.Name]; other.side != nil {
					errs = append(errs, fmt.Errorf("%s: %s: new, and so it is in %s", u.Diff.Unit, y.Name, other.side.Diff.Unit))
				}
				v.globals[y.Name] = owned{s, it}
			}
		}
	}
	for _, s := range v.sides {
		errs = append(errs, v.unit(s, list)...)
	}
	for _, s := range v.sides {
		errs = append(errs, v.coverage(s)...)
	}
	errs = append(errs, v.lateOwners()...)
	errs = append(errs, v.rest(list)...)
	return errors.Join(errs...)
}

type verifier struct {
	mod    *unit.Unit
	k      Kernel
	tables unit.Tables
	sides  []*side
	// home says which item of the module an item of a unit's post became, back is the reverse. A literal has several
	// homes, when two sections each brought it, and stands for several.
	home, back map[*unit.Item]*unit.Item
	sideOf     map[*unit.Item]*side // of items of the module
	late       []lateReloc
	globals    map[string]owned // that units add, by name
	pieces     map[span]*unit.Item
}

// owned is an item with the unit that it is of.
type owned struct {
	side *side
	item *unit.Item
}

// side is one unit as Verify sees it.
type side struct {
	Unit
	post, pre unit.Tables // special sections
	replaced  map[*unit.Item]bool
	// local are functions that changed, or call such ones, and that the module's list does not name: copies of them
	// must be carried by their callers.
	local map[*unit.Item]bool
	// freed says whether the target's shipped binary frees a place after boot, or once it is loaded; nil where that is not known.
	freed func(addr uint64) bool
}

func newSide(u Unit, freed func(addr uint64) bool) (*side, error) {
	s := &side{Unit: u, freed: freed, replaced: map[*unit.Item]bool{}, local: map[*unit.Item]bool{}}
	var err error
	if s.post, err = u.Diff.Post.Tables(); err != nil {
		return nil, err
	}
	if s.pre, err = u.Diff.Pre.Tables(); err != nil {
		return nil, err
	}
	for _, it := range u.Diff.Replaced() {
		s.replaced[it] = true
	}
	return s, s.findLocal()
}

// unit holds the functions of a unit that the module replaces, and the names that it adds, against the module.
func (v *verifier) unit(s *side, list map[vmlinux.At]*listed) (errs []error) {
	for _, post := range s.Diff.Replaced() {
		addr, ok := s.Match.Located(s.Diff.PreOf(post))
		l := list[vmlinux.At{Object: s.Target, Addr: addr}]
		if !ok || l == nil {
			errs = append(errs, fmt.Errorf("%s: %s: changed, but the module replaces no function of %s at %#x", s.Diff.Unit, post.Name, s.Target, addr))
			continue
		}
		l.used = true
		if err := v.same(s, post, l.new); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Diff.Unit, err))
		}
	}
	for _, post := range s.Diff.NewGlobals() {
		mod := v.mod.ItemOf(v.mod.Obj.Symbol(post.Name))
		if mod == nil || !mod.Global() {
			errs = append(errs, fmt.Errorf("%s: %s: new, but the module does not define it", s.Diff.Unit, post.Name))
			continue
		}
		if err := v.same(s, post, mod); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Diff.Unit, err))
		}
	}
	return errs
}

// root is the function that an item is, or is the cold part of.
func root(it *unit.Item) *unit.Item {
	for it.Parent != nil {
		it = it.Parent
	}
	return it
}
