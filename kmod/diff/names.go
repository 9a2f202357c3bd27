package diff

import (
	"debug/elf"
	"fmt"

	"livesplice/kmod/unit"
)

// sameNames refuses global names that stand for something else than before, such as an alias of another function: whoever is
// outside of the unit knows nothing but the name, and the running kernel goes on using what that stood for. Names of init
// code are used no more; that of a module's exit code is.
func (r *Result) sameNames() {
	was := map[string]*unit.Item{}
	for _, it := range r.Pre.Items {
		for _, y := range it.Syms {
			if y.Bind != elf.STB_LOCAL {
				was[y.Name] = it
			}
		}
	}
	for _, it := range r.Post.Items {
		for _, y := range it.Syms {
			pre := was[y.Name]
			if y.Bind == elf.STB_LOCAL || pre == nil || pre == r.PreOf(it) || r.neverRuns(pre) {
				continue
			}
			what := "another name of " + pre.Name
			if pre.Name == y.Name {
				what = "a definition of its own"
			}
			r.refusePost(MovedDefinition, it, fmt.Sprintf("the name %s stands for it now, and was %s, which the rest of the kernel goes on using", y.Name, what),
				fmt.Sprintf("keep what %s stands for, and change its code", y.Name))
		}
	}
}
