package finding

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/arch"
	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
)

// handouts warns where the update computes the address of a function or datum that only the update has. Whoever keeps such
// an address (a timer, a list, a table of operations, an object that lives on) is left with it when the update is undone and
// its module is unloaded. Strings and what macros make at each place of use do not count.
func (l *look) handouts() {
	if l.Post.Obj.Machine != elf.EM_X86_64 {
		return
	}
	for _, it := range l.brought {
		var names []string
		for _, part := range append([]*unit.Item{it}, it.Children...) {
			for _, to := range addressesIn(l.Post, part) {
				if l.onlyInUpdate(to) && to != it && !slices.Contains(names, to.Name) {
					names = append(names, to.Name)
				}
			}
		}
		if len(names) > 0 {
			l.warn(AddressHandedOut, it, fmt.Sprintf("hands out the address of %s, which only the update has", strings.Join(names, ", ")),
				"see that nothing keeps it when the update is undone: what still points there then points into a module that is gone")
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

// addressesIn gives the items whose address an item's code computes, in distinction from those that it calls, reads or
// writes where they are. Code that cannot be decoded computes none.
func addressesIn(u *unit.Unit, it *unit.Item) (out []*unit.Item) {
	_ = u.InsnRefs(it, func(ref unit.Ref, code []byte, atEnd bool) {
		if ref.To != nil && !ref.Direct && addressX86(code, atEnd) {
			out = append(out, ref.To)
		}
	})
	return out
}

// addressX86 says whether an instruction makes a value of the address in a field: LEA, or an immediate, which is at the end,
// of MOV or PUSH.
func addressX86(code []byte, atEnd bool) bool {
	op, _ := arch.OpcodeX86(code)
	return op == 0x8d || atEnd && (op == 0xc7 || op == 0x68 || op >= 0xb8 && op <= 0xbf)
}
