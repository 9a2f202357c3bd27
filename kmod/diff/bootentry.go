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

// entryOf gives the function or datum that an entry of a table stands for, which it points at first; nil for entries with
// names of their own, those of exported symbols excepted, and for one that points elsewhere.
func entryOf(u *unit.Unit, it *unit.Item) *unit.Item {
	if it.Kind != unit.Anonymous && leftOut(it.Section.Name) == "" {
		return nil
	}
	refs, err := u.Refs(it)
	if err != nil || len(refs) == 0 || refs[0].To == nil || len(refs[0].To.Syms) == 0 {
		return nil
	}
	return refs[0].To
}

// WithoutExport gives the functions and data of pre that it exports and that are no longer there in post. The running
// kernel keeps them: whoever calls one gets the old code.
func (r *Result) WithoutExport() []*unit.Item {
	var out []*unit.Item
	for _, it := range r.Pre.Items {
		if to := entryOf(r.Pre, it); to != nil && leftOut(it.Section.Name) == exportedSymbol && r.cmp.postOf[it] == nil && r.cmp.postOf[to] == nil {
			out = append(out, to)
		}
	}
	return out
}

// exportedSymbol is what unit.KnownSection says that sections of exported symbols hold.
const exportedSymbol = "exported symbol"

// neverCalled says whether a section holds exit calls of what is built in, which the last link discards.
//
// Source: include/asm-generic/vmlinux.lds.h, EXIT_CALL in COMMON_DISCARDS, v5.10 to v7.0.
func (r *Result) neverCalled(section string) bool {
	return section == ".exitcall.exit" && !r.Options.Module
}

// entryRemoved deals with an entry of pre that post does not have. The running kernel keeps it, with what it stands for.
// That is safe where it only lets others use a function or datum: they go on using what they used.
func (r *Result) entryRemoved(it *unit.Item, holds string) {
	if to := entryOf(r.Pre, it); to != nil && leftOut(it.Section.Name) != "" {
		r.note("%s is no %s any more: the running kernel keeps it as one until the next boot", to.Name, holds)
		return
	}
	r.change(it, Removed)
	r.refuseEntry(r.Pre, it, holds+" removed: the running kernel keeps it", "take the removal out of the patch")
}
