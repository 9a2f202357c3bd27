package diff

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/layout"
	"livesplice/kmod/unit"
)

// The codes of functions that are called by an address which the shipped code handed out.
const (
	HeldFunction     Code = "held-function"     // nothing can take the place of the function any more
	PrototypeChanged Code = "prototype-changed" // it is to be called otherwise
)

// HeldFunctions refuses what would go wrong for those who were given the address of a function before the update, such as a
// timer, by the types of both objects: a static function that must be called otherwise than before, and one that the
// patched source still has and the patched object no longer has under its name, since all that use it now have it
// inlined or call a clone of it. Functions that the patch takes out of the source go on as they were, and a note says so.
func (r *Result) HeldFunctions(pre, post *layout.Unit) (Refusals, error) {
	held, _, err := r.removedUses()
	if err != nil {
		return nil, err
	}
	var out Refusals
	refuse := func(code Code, it *unit.Item, reason, remedy string) {
		out = append(out, Refusal{Code: code, Unit: r.Unit, Subject: it.Name, Source: r.Pre.Source(it),
			Reason: fmt.Sprintf("%s: %s", r.holder(r.Pre, held[it]), reason), Remedy: remedy})
	}
	for _, it := range r.Pre.Items {
		now, defined := post.Prototypes[it.Name]
		if held[it] == nil || it.Parent != nil || !defined || r.neverRuns(it) {
			continue
		}
		was, known := pre.Prototypes[it.Name]
		switch is := r.cmp.postOf[it]; {
		case is == nil:
			refuse(HeldFunction, it, "whoever has it goes on calling the shipped code, and the patched code has "+r.otherForm(it)+", with which that cannot be replaced",
				"keep it a function of its own, by a pointer to it or by noinline")
		case known && !is.Global() && r.changed[is] && !was.SameCall(now):
			refuse(PrototypeChanged, it, fmt.Sprintf("the prototype changes from %q to %q, and whoever has it calls it as before", was, now),
				"keep the function as it is, and add one of another name")
		}
	}
	out.Sort()
	return out, nil
}

// otherForm says in what form post has a function that it does not define under its name.
func (r *Result) otherForm(pre *unit.Item) string {
	var clones []string
	for _, it := range r.Post.Items {
		if base, _, ok := strings.Cut(it.Name, "."); ok && base == pre.Name && it.Kind == unit.Function && it.Parent == nil {
			clones = append(clones, it.Name)
		}
	}
	if len(clones) == 0 {
		return "the function only inlined into others"
	}
	slices.Sort(clones)
	return "only a clone of it (" + strings.Join(clones, ", ") + ")"
}

// ReadHeldFunctions is HeldFunctions for who has not read the objects' debug information. Objects without any give none.
func (r *Result) ReadHeldFunctions() (Refusals, error) {
	var types [2]*layout.Unit
	for i, u := range []*unit.Unit{r.Pre, r.Post} {
		raw, err := u.Obj.Write()
		if err != nil {
			return nil, err
		}
		types[i], err = layout.Read(raw)
		if errors.Is(err, layout.ErrNoDWARF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return r.HeldFunctions(types[0], types[1])
}
