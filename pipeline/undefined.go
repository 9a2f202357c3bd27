package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"livesplice/kmod/link"
	"livesplice/kmod/vmlinux"
	"livesplice/pipeline/rebuild"
)

// undefined finds names that patched code newly refers to and that nothing defines: neither vmlinux nor the update. A build
// of the whole patched kernel would stop at them in its last link. Code as shipped that refers to such a name is another
// matter: then the source is not that of the kernel, which matching reports.
func (c *creation) undefined(ctx context.Context) error {
	var errs []error
	for _, u := range c.units {
		run, err := c.targets.run(ctx, u.Target)
		if err != nil {
			return err
		}
		what := "neither vmlinux nor the update has a global function or variable of that name"
		if u.Target != vmlinux.Object {
			what = fmt.Sprintf("neither module %s nor the update has a global function or variable of that name, and neither vmlinux nor a module that it imports from exports one", u.Target)
		}
		for _, n := range u.Extract.Needs {
			if n.Pre != nil || u.Diff.Pre.Obj.Symbol(n.Name) != nil || len(run.Globals(n.Name)) > 0 || c.adds(n.Name) {
				continue
			}
			errs = append(errs, &rebuild.BuildError{Unit: u.Diff.Unit, Command: "ld", FirstError: fmt.Sprintf("undefined reference to %q: %s", n.Name, what)})
		}
	}
	return errors.Join(errs...)
}

func (c *creation) adds(name string) bool {
	return slices.ContainsFunc(c.units, func(u link.Unit) bool {
		s := u.Extract.Obj.Symbol(name)
		return s != nil && !s.Undefined() && s.Bind != 0
	})
}
