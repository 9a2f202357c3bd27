package finding

import (
	"debug/elf"
	"fmt"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// handouts warns where the update gives away the address of a function or datum that only the update has. Whoever keeps such
// an address (a timer, a list, a table of operations, an object that lives on) goes on using it when the update is undone, and
// so the update stays loaded: see Update.Holds. Strings and what macros make at each place of use do not count here.
func (l *look) handouts() {
	if l.Post.Obj.Machine != elf.EM_X86_64 {
		return
	}
	names := map[*unit.Item][]string{}
	c := carried{side: l.post, functions: l.brought, lockdep: true,
		mine: func(ref unit.Ref) *unit.Item {
			if ref.To != nil && l.onlyInUpdate(ref.To) {
				return ref.To
			}
			return nil
		},
		leads:   func(name string) Callee { return Callee{vmlinux.Object, name} },
		entered: func(it *unit.Item) bool { return l.PreOf(it) != nil }}
	for _, h := range c.held() {
		if fn := whole(h.In); fn != h.Item {
			names[fn] = append(names[fn], h.Item.Name)
		}
	}
	for _, it := range l.brought {
		if len(names[it]) > 0 {
			l.warn(AddressHandedOut, it, fmt.Sprintf("hands out the address of %s, which only the update has", strings.Join(names[it], ", ")),
				"see what keeps it when the update is undone: that goes on with the code or data of the update, which stays loaded")
		}
	}
}

// exports warns of exported functions and data that the patch removes. The callers in the kernel's tree are changed by
// the same patch, or the tree would not build; modules from elsewhere, and those that the patch forgets, use the old ones.
func (l *look) exports() {
	for _, it := range l.WithoutExport() {
		l.found = append(l.found, Warning{Code: ExportRemoved, Unit: l.Unit, Subject: it.Name, Source: l.Pre.Source(it),
			Reason: "it is exported and no longer there; the running kernel keeps it as it is",
			Remedy: "see that the patch changes all its callers: those that it does not change use the old code"})
	}
}

// onlyInUpdate says whether an item that brought code refers to has no place in the running kernel, and a name.
func (l *look) onlyInUpdate(it *unit.Item) bool {
	switch it.Kind {
	case unit.Function:
		return l.PreOf(it) == nil && it.Parent == nil
	case unit.Datum:
		return l.PreOf(it) == nil && !diff.Fresh(it)
	}
	return false
}
