package pipeline

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"slices"

	"livesplice/kmod/diff"
	"livesplice/kmod/link"
	"livesplice/kmod/match"
	"livesplice/kmod/module"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
	"livesplice/pipeline/rebuild"
)

// codeDependency: a module uses what another one has that need not be loaded with it.
const codeDependency diff.Code = "new-dependency"

// names holds what patched code newly refers to against what a build of the whole patched kernel would find: global names
// of the same target, and from a module exports of vmlinux and of modules. A build that would stop at a name is an error of
// kind BuildError. Code as shipped that refers to what is nowhere is another matter: then the source is not that of the
// kernel, which matching reports.
type names struct {
	c     *creation
	added map[string]map[string][]link.NewGlobal // by target and name
	built []error
	diff.Refusals
}

// undefined finds names that patched code may not use, and those that the module's link would take for others.
func (c *creation) undefined(ctx context.Context) error {
	n := &names{c: c, added: link.NewGlobals(c.units)}
	for i := range c.units {
		u := &c.units[i]
		n.twice(u)
		run, err := c.targets.run(ctx, u.Target)
		if err != nil {
			return err
		}
		for _, need := range u.Extract.Needs {
			if need.Pre != nil {
				n.other(u, need)
			} else if err := n.external(ctx, u, need, run); err != nil {
				return err
			}
		}
	}
	if err := c.refuse(n.Refusals); err != nil {
		return err
	}
	return errors.Join(n.built...)
}

func (n *names) fail(u *link.Unit, command, format string, args ...any) {
	n.built = append(n.built, &rebuild.BuildError{Unit: u.Diff.Unit, Command: command, FirstError: fmt.Sprintf(format, args...)})
}

func (n *names) refuse(u *link.Unit, code diff.Code, subject, reason, remedy string) {
	r := diff.Refusal{Code: code, Unit: u.Diff.Unit, Subject: subject, Reason: reason, Remedy: remedy}
	for _, it := range u.Diff.Post.Items {
		if it.Name == subject {
			r.Source = u.Diff.Post.Source(it)
		}
	}
	n.Refusals = append(n.Refusals, r)
}

// twice finds what a unit adds under a name that another one of the same target, or of another, adds too.
func (n *names) twice(u *link.Unit) {
	for _, name := range slices.Sorted(maps.Keys(n.added[u.Target])) {
		all := n.added[u.Target][name]
		first := all[0].Unit
		if i := slices.IndexFunc(all, func(g link.NewGlobal) bool { return g.Unit == u }); i > 0 {
			if all[0].Weak || all[i].Weak {
				n.refuse(u, diff.NotExtractable, name, "it is new, and "+first.Diff.Unit+" adds it too: which of the two the linker takes is not followed where one is weak", "define it once")
			} else {
				n.fail(u, "ld", "multiple definition of %q: %s of the patched source defines it too", name, first.Diff.Unit)
			}
		} else if i < 0 {
			continue
		}
		for _, target := range slices.Sorted(maps.Keys(n.added)) {
			if others := n.added[target][name]; target < u.Target && len(others) > 0 && all[0].Unit == u {
				if all[0].Export != nil && others[0].Export != nil {
					n.fail(u, "modpost", "%q exported twice: %s of %s exports it too", name, others[0].Unit.Diff.Unit, target)
					continue
				}
				n.refuse(u, diff.NotExtractable, name, fmt.Sprintf("it is new in %s, and another one of this name is new in %s: they are two, and an update has one link for all", u.Target, target),
					"give them different names, or make updates of their own with --stack")
			}
		}
	}
}

// other refuses a reference to what the running kernel has if the update adds something else of that name: the link of its
// module would lead there.
func (n *names) other(u *link.Unit, need diff.Need) {
	for _, target := range slices.Sorted(maps.Keys(n.added)) {
		g := n.added[target][need.Sym.Name]
		if len(g) == 0 {
			continue
		}
		if target == u.Target {
			n.fail(u, "ld", "multiple definition of %q: %s of the patched source defines it too", need.Sym.Name, g[0].Unit.Diff.Unit)
			continue
		}
		n.refuse(g[0].Unit, diff.NotExtractable, need.Sym.Name, fmt.Sprintf("it is new in %s, and the update refers to another one of this name, which %s has already", target, u.Target), "give it a name that nothing else has")
	}
}

// external looks at a name that the unit does not define.
func (n *names) external(ctx context.Context, u *link.Unit, need diff.Need, run match.Run) error {
	if len(n.added[u.Target][need.Name]) > 0 {
		return nil
	}
	if len(run.Globals(need.Name)) > 0 {
		n.other(u, need)
		n.shippedExport(u, need, run)
		return nil
	}
	var exported, private []link.NewGlobal
	for _, target := range slices.Sorted(maps.Keys(n.added)) {
		for _, g := range n.added[target][need.Name] {
			if g.Export != nil {
				exported = append(exported, g)
			} else {
				private = append(private, g)
			}
		}
	}
	switch {
	case len(exported) > 0 && u.Target != vmlinux.Object:
		return n.newExport(ctx, u, exported[0])
	case len(exported)+len(private) > 0:
		n.unreachable(u, append(exported, private...)[0])
		return nil
	case u.Diff.Pre.Obj.Symbol(need.Name) != nil:
		return nil // matching reports it
	}
	return n.nowhere(ctx, u, need.Name)
}

// widened are those of a unit's new names that the patch makes global, of functions and variables that the shipped kernel has as
// static ones.
func widened(r *diff.Result, fresh map[string]*unit.Item) (names []string) {
	for name, it := range fresh {
		if pre := r.PreOf(it); pre != nil && pre.Name == name {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// unreachable reports a new global of another target that a unit cannot use.
func (n *names) unreachable(u *link.Unit, g link.NewGlobal) {
	if u.Target == vmlinux.Object {
		n.fail(u, "ld", "undefined reference to %q: %s adds it to module %s, and vmlinux can use nothing of a module", g.Name, g.Unit.Diff.Unit, g.Unit.Target)
		return
	}
	n.fail(u, "modpost", "%q [%s.ko] undefined: %s adds it to %s and does not export it", g.Name, u.Target, g.Unit.Diff.Unit, g.Unit.Target)
}

// newExport looks at the use of something new by another module.
func (n *names) newExport(ctx context.Context, u *link.Unit, g link.NewGlobal) error {
	if owner := g.Unit.Target; owner != vmlinux.Object {
		held, err := n.c.targets.holds(ctx, u.Target, owner)
		if err != nil {
			return err
		}
		if !held {
			n.dependency(u, g.Name, owner)
			return nil
		}
	}
	return n.permitted(ctx, u, g.Name, g.Export.GPL, g.Export.Namespace)
}

// dependency refuses the use of what a module has that is not there whenever the one that uses it is.
func (n *names) dependency(u *link.Unit, name, owner string) {
	r := diff.Refusal{Code: codeDependency, Unit: u.Diff.Unit, Subject: name,
		Reason: fmt.Sprintf("it is of module %s, from which the shipped module %s imports nothing: %s can be loaded without it, and the patched code would call what is not there", owner, u.Target, u.Target),
		Remedy: "use what vmlinux or a module that it imports from exports, or reboot into a fixed kernel"}
	for _, f := range u.Extract.Functions {
		if refersTo(u, f, name) {
			r.Source = u.Diff.Post.Source(f.Post)
			break
		}
	}
	n.Refusals = append(n.Refusals, r)
}

// refersTo says whether a carried function has a reference to an external name.
func refersTo(u *link.Unit, f diff.Carried, name string) bool {
	refs, err := u.Diff.Post.Refs(f.Post)
	for _, r := range refs {
		if err == nil && r.To == nil && r.External != nil && r.External.Name == name {
			return true
		}
	}
	return false
}

// permitted reports an export that the module may not use.
func (n *names) permitted(ctx context.Context, u *link.Unit, name string, gpl bool, namespace string) error {
	l, err := n.c.targets.module(ctx, u.Target)
	if err != nil {
		return err
	}
	n.allowed(u, l.Image, name, gpl, namespace)
	return nil
}

func (n *names) allowed(u *link.Unit, im *module.Image, name string, gpl bool, namespace string) {
	if gpl && !im.GPLCompatible() {
		n.fail(u, "modpost", "GPL-incompatible module %s.ko uses GPL-only symbol %q", u.Target, name)
	}
	imports := slices.ContainsFunc(n.c.units, func(o link.Unit) bool { return o.Target == u.Target && o.AddsNamespace(namespace) })
	if !imports && !im.HasNamespace(namespace) {
		n.fail(u, "modpost", "module %s uses symbol %s from namespace %s, but does not import it", u.Target, name, namespace)
	}
}

// shippedExport looks at a name that patched code of a module newly refers to and that vmlinux or another module exports.
func (n *names) shippedExport(u *link.Unit, need diff.Need, run match.Run) {
	l, ok := run.(*module.Linked)
	if !ok || u.Diff.Pre.Obj.Symbol(need.Name) != nil || len(l.Image.Globals(need.Name)) > 0 {
		return
	}
	if e, ok := n.c.image.Export(need.Name); ok {
		n.allowed(u, l.Image, need.Name, e.GPL, e.Namespace)
		return
	}
	v := n.c.vers[need.Name]
	n.allowed(u, l.Image, need.Name, v.GPL, v.Namespace)
}

// nowhere reports a name that neither the target, nor the update, nor what the target imports from has.
func (n *names) nowhere(ctx context.Context, u *link.Unit, name string) error {
	if y := u.Diff.Post.Obj.Symbol(name); y != nil && y.Bind == elf.STB_WEAK {
		n.refuse(u, diff.NotExtractable, name, "the patched code refers to it weakly, and neither the kernel nor the update has it", "define it, or take the reference out of the patch")
		return nil
	}
	if by := n.c.widened[[2]string{u.Target, name}]; by != "" {
		n.refuse(u, diff.NotExtractable, name, "the shipped kernel has it as a static one of "+by+", which the patch makes global: a reference to it from another unit is not followed",
			"leave it static, and add to "+by+" a global function of another name that calls or reads it")
		return nil
	}
	what := "neither vmlinux nor the update has a global function or variable of that name"
	if u.Target != vmlinux.Object {
		if v, ok := n.c.vers[name]; ok && v.Module != vmlinux.Object {
			owner := module.NameOf(v.Module)
			held, err := n.c.targets.holds(ctx, u.Target, owner)
			if err != nil {
				return err
			}
			if held {
				n.refuse(u, codeDependency, name, fmt.Sprintf("it is exported by module %s, which the shipped module %s imports from only through others", owner, u.Target), "use what a module exports from which it imports directly, or reboot into a fixed kernel")
			} else {
				n.dependency(u, name, owner)
			}
			return nil
		}
		what = fmt.Sprintf("neither module %s nor the update has a global function or variable of that name, and neither vmlinux nor a module that it imports from exports one", u.Target)
	}
	n.fail(u, "ld", "undefined reference to %q: %s", name, what)
	return nil
}

// holds says whether a module is in memory whenever another one is: which imports from it, or from one that does.
func (t *targets) holds(ctx context.Context, name, wanted string) (bool, error) {
	seen := map[string]bool{name: true}
	for todo := []string{name}; len(todo) > 0 && !seen[wanted]; todo = todo[1:] {
		l, err := t.module(ctx, todo[0])
		if err != nil {
			return false, err
		}
		for _, other := range l.Held() {
			if !seen[other] {
				seen[other] = true
				todo = append(todo, other)
			}
		}
	}
	return seen[wanted], nil
}
