package livepatch

import (
	"fmt"
	"slices"
	"strings"
)

// shownAs is the name of a function's folder below its object in sysfs. The kernel
// shows position 1 for a name that is unique.
// Source: klp_init_func in kernel/livepatch/core.c, v5.10 and v6.1.
func (f *Function) shownAs() string { return fmt.Sprintf("%s,%d", f.Name, max(f.SymPos, 1)) }

// heedOverlap refuses u, a single update, when another livepatch replaces a
// function that u replaces too. The kernel would run the one of u, which was made
// from the shipped source: the other's change of the function would be gone,
// without a word.
func (r *run) heedOverlap(u *Update, all []Livepatch) error {
	var both []string
	for _, l := range all {
		if l.Module == u.Manifest.Module {
			continue
		}
		for _, o := range u.Manifest.Objects {
			for _, f := range o.Functions {
				if r.exists("sys/kernel/livepatch", l.Module, o.Name, f.shownAs()) {
					both = append(both, fmt.Sprintf("%s of %s (livepatch %q)", f.Name, o.Name, l.Module))
				}
			}
		}
	}
	if len(both) == 0 {
		return nil
	}
	slices.Sort(both)
	return refuse(u.thing(), "what it replaces is replaced already: %s; the change that is there would be lost; undo that one first, or have one update made of both patches", strings.Join(both, ", "))
}
