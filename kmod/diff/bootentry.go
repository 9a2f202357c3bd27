package diff

import (
	"livesplice/kmod/unit"
)

// refuseEntry refuses an entry of a table that the kernel reads once. Entries without a name are called by what they point
// at first: the function of an initcall, the symbol of an export.
func (r *Result) refuseEntry(u *unit.Unit, it *unit.Item, reason, remedy string) {
	refusal := Refusal{Code: TableChanged, Unit: r.Unit, Subject: it.Name, Source: u.Source(it), Reason: reason, Remedy: remedy}
	if to := entryOf(u, it); to != nil {
		refusal.Subject, refusal.Source = to.Name, u.Source(to)
	}
	r.Refusals = append(r.Refusals, refusal)
}

// entryOf gives the function or datum that a nameless entry of a table points at first; nil for one with a name, and for
// one that points elsewhere.
func entryOf(u *unit.Unit, it *unit.Item) *unit.Item {
	if it.Kind != unit.Anonymous {
		return nil
	}
	refs, err := u.Refs(it)
	if err != nil || len(refs) == 0 || refs[0].To == nil || len(refs[0].To.Syms) == 0 {
		return nil
	}
	return refs[0].To
}

// neverCalled says whether a section holds exit calls of what is built in, which the last link discards.
//
// Source: include/asm-generic/vmlinux.lds.h, EXIT_CALL in COMMON_DISCARDS, v5.10 to v7.0.
func (r *Result) neverCalled(section string) bool {
	return section == ".exitcall.exit" && !r.Options.Module
}

// entryRemoved deals with an entry of pre that post does not have. The running kernel keeps it. That does no harm where
// it only lets others use a function or datum, and post still has that: modules go on calling what they called.
func (r *Result) entryRemoved(it *unit.Item, holds string) {
	if to := entryOf(r.Pre, it); to != nil && leftOut(it.Section.Name) != "" && r.cmp.postOf[to] != nil {
		r.note("%s is no %s any more: the running kernel keeps it as one until the next boot", to.Name, holds)
		return
	}
	r.change(it, Removed)
	reason := holds + " removed: the running kernel keeps it"
	if leftOut(it.Section.Name) != "" {
		reason = holds + " removed with what it stands for: the running kernel keeps both, and goes on using the old code"
	}
	r.refuseEntry(r.Pre, it, reason, "take the removal out of the patch")
}
