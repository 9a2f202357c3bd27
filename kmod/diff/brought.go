package diff

import "livesplice/kmod/unit"

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
