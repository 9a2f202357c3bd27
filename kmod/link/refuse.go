package link

import (
	"fmt"
	"slices"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/vmlinux"
)

// refuse finds what no unit alone shows, beside what is known already.
func refuse(units []Unit, out diff.Refusals) error {
	out = append(out, movedFunctions(units)...)
	for _, u := range units {
		more, err := readOnlyKeys(u)
		if err != nil {
			return err
		}
		out = append(append(out, more...), perCPUAddresses(u)...)
	}
	if len(out) == 0 {
		return nil
	}
	out.Sort()
	return out
}

// movedFunctions refuses global functions that go from one unit to another: the rest of the kernel would go on calling
// the old one.
func movedFunctions(units []Unit) (out diff.Refusals) {
	added := map[string]string{}
	for _, u := range units {
		for _, it := range u.Diff.NewGlobals() {
			added[it.Name] = u.Diff.Unit
		}
	}
	for _, u := range units {
		kept := map[string]bool{}
		for _, it := range u.Diff.Post.Items {
			for _, y := range it.Syms {
				kept[y.Name] = true
			}
		}
		for _, it := range u.Diff.Pre.Items {
			if to := added[it.Name]; it.Global() && !kept[it.Name] && to != "" && to != u.Diff.Unit {
				out = append(out, diff.Refusal{Code: diff.NotExtractable, Unit: u.Diff.Unit, Subject: it.Name, Source: u.Diff.Pre.Source(it),
					Reason: "it moved to " + to + ", and the rest of the kernel goes on using the old one", Remedy: "leave it in its file"})
			}
		}
	}
	return out
}

// readOnlyKeys refuses branches on static keys that are read-only after boot. The kernel links the branches of a module
// into the key when the module loads, and before 6.10 writes to the key for that, which then faults. From 6.10 on it
// seals such keys, in jump_label_init_ro().
//
// Source: kernel/jump_label.c, jump_label_add_module, v6.1 and v6.10.
func readOnlyKeys(u Unit) (out diff.Refusals, err error) {
	tables, err := u.Diff.Post.Tables()
	if err != nil {
		return nil, err
	}
	for _, f := range u.Extract.Functions {
		for _, e := range tables[f.Post] {
			if e.Section.Name != "__jump_table" || len(e.Refs) < 3 {
				continue
			}
			key := e.Refs[2]
			if key.To != nil && u.Diff.PreOf(key.To) == nil || key.To != nil && diff.Fresh(key.To) {
				continue // the update's own
			}
			need := diff.Need{Name: key.Name()}
			if key.To != nil {
				need.Pre = u.Diff.PreOf(key.To)
			}
			b, err := u.Match.Resolve(need)
			if err != nil || b.Object != vmlinux.Object || !u.Match.ReadOnlyAfterBoot(b.Addr) {
				continue // what is not resolved has been reported
			}
			out = append(out, diff.Refusal{Code: diff.NotExtractable, Unit: u.Diff.Unit, Subject: f.Post.Name, Source: u.Diff.Post.Source(f.Post),
				Reason: fmt.Sprintf("it branches on the static key %s, which is read-only after boot and which this kernel writes to when a module with such a branch is loaded", b.Name),
				Remedy: "change a caller of the function instead, or reboot into a fixed kernel"})
		}
	}
	return out, nil
}

// perCPUAddresses refuses new per-CPU variables that hold an address. Before the kernel fills in the references of a module it takes
// the section of these out of those that it loads, and so leaves them empty, up to 6.12 at least; and what is known only with a
// patched module comes after the copies for the CPUs.
//
// Source: layout_and_allocate, apply_relocations and post_relocation, kernel/module/main.c, v5.10, v6.1 and v6.12; v7.2 fills in
// those that it knows at once.
func perCPUAddresses(u Unit) (out diff.Refusals) {
	for _, s := range u.Extract.Obj.Sections {
		if s.Name != ".data..percpu" || s.Rela == nil {
			continue
		}
		for _, y := range u.Extract.Obj.Symbols {
			if y.Section != s || !slices.ContainsFunc(s.Rela.Relocs, func(r elfobj.Reloc) bool { return r.Offset >= y.Value && r.Offset < y.Value+y.Size }) {
				continue
			}
			r := diff.Refusal{Code: diff.NotExtractable, Unit: u.Diff.Unit, Subject: y.Name,
				Reason: "it is a new per-CPU variable that begins with an address in it, which the kernel does not fill in in a module", Remedy: "set it in code, the first time that it is used"}
			for _, it := range u.Diff.Post.Items {
				if it.Name == y.Name {
					r.Source = u.Diff.Post.Source(it)
				}
			}
			out = append(out, r)
		}
	}
	return out
}
