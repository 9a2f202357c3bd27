package diff

import (
	"slices"

	"livesplice/kmod/unit"
)

// Brought gives the functions of post that an update brings: those that are replaced, copies for callers that are, and new
// ones. Split-off parts go with their function and are not among them, nor is code that only a booting kernel runs.
func (r *Result) Brought() []*unit.Item {
	var out []*unit.Item
	for _, it := range r.Post.Items {
		if it.Kind == unit.Function && it.Parent == nil && !bootOnly(it) && (r.PreOf(it) == nil || r.changed[it] || r.local[it]) {
			out = append(out, it)
		}
	}
	return out
}

// KeptVariables names the variables, as the source does, that code of an update refers to and that the running kernel has: what
// old code left in them is there.
func (r *Result) KeptVariables() (names []string) {
	for _, it := range r.Brought() {
		for _, part := range append([]*unit.Item{it}, it.Children...) {
			refs, err := r.Post.Refs(part)
			if err != nil {
				continue // refused elsewhere
			}
			for _, ref := range refs {
				to := ref.To
				if to == nil || to.Kind != unit.Datum || Fresh(to) || !to.Writable() || r.PreOf(to) == nil {
					continue
				}
				if name := variableName(to); !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
