package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/layout"
)

// comparePrototypes refuses global functions that must be called otherwise than before: callers that the update does not
// replace go on calling them as they were compiled to, and a call of the old function ends in the new one.
func (c *creation) comparePrototypes(u PlannedUnit, pre, post *compiled, r *diff.Result) {
	for _, ch := range layout.ComparePrototypes(pre.types, post.types) {
		reason := "and code of other files calls it as before"
		if exported(pre.obj, ch.Pre.Name) {
			reason = "and it is exported: modules that are built for this kernel call it as before (its CRC would change)"
		}
		r.Refusals = append(r.Refusals, diff.Refusal{Code: codePrototype, Unit: u.Source, Subject: ch.Pre.Name,
			Source: fmt.Sprintf("%s:%d", ch.Post.File, ch.Post.Line), Reason: fmt.Sprintf("the prototype changes from %q to %q, %s", ch.Pre, ch.Post, reason),
			Remedy: "keep the function as it is, and add one of another name"})
	}
}

// exported says whether an object exports a symbol: kernels before 6.5 have a section for each, later ones a symbol in
// .export_symbol.
//
// Source: include/linux/export.h and include/linux/export-internal.h, v5.10, v6.1 and v6.12.
func exported(o *elfobj.Object, name string) bool {
	if o.Symbol("__export_symbol_"+name) != nil {
		return true
	}
	return slices.ContainsFunc(o.Sections, func(s *elfobj.Section) bool {
		table, of, _ := strings.Cut(s.Name, "+")
		return of == name && strings.HasPrefix(table, "___ksymtab")
	})
}
