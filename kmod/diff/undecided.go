package diff

import (
	"errors"
	"slices"

	"livesplice/kmod/unit"
)

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

// unknownTable refuses a special section whose entries cannot be told apart: which code is changed cannot be said then. It
// says whether err is about one.
func (r *Result) unknownTable(err error) bool {
	var table *unit.TableError
	if !errors.As(err, &table) {
		return false
	}
	r.Undecided = true
	refusal := Refusal{Code: UnknownSection, Unit: r.Unit, Subject: table.Section, Reason: "what is in the section cannot be told: " + table.Err.Error(),
		Remedy: "report this as a bug of livesplice, with the object and the kernel's version"}
	if !slices.Contains(r.Refusals, refusal) {
		r.Refusals = append(r.Refusals, refusal)
	}
	return true
}
