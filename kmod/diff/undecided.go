package diff

import "livesplice/kmod/unit"

// undecided refuses items whose references cannot be told: code that is not decoded, a relocation of a kind that is not
// known, a place where nothing is. No verdict can then be given on anything, since any item may refer to them.
func (r *Result) undecided() bool {
	seen := map[string]bool{}
	for _, u := range []*unit.Unit{r.Pre, r.Post} {
		for _, it := range u.Items {
			_, err := u.Refs(it)
			if err == nil || seen[it.Name] {
				continue
			}
			seen[it.Name] = true
			r.Undecided = true
			r.Refusals = append(r.Refusals, Refusal{Code: UnknownCode, Unit: r.Unit, Subject: it.Name, Source: u.Source(it),
				Reason: "what it refers to cannot be told: " + err.Error(), Remedy: "compile it with the flags of the kernel, or report this as a bug of livesplice, with the object"})
		}
	}
	r.Refusals.Sort()
	return r.Undecided
}
