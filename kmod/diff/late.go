package diff

import (
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/unit"
)

// What the patched module has is known to an update only once that module is loaded, which may be long after the update
// was. The livepatch core fills in these references then, but the kernel reads special sections as the update itself is
// loaded: an entry with such a reference would lead it astray.
//
// Source: kernel/livepatch/core.c, klp_init_object_loaded, v5.8 to v7.0; Documentation/livepatch/module-elf-format.rst.

// trampoline begins the names by which objtool knows calls that belong into .static_call_sites.
const trampoline = "__SCT__"

// late says whether a place outside the extract, an item of pre or an external name, is known late.
func (x *extractor) late(pre *unit.Item, name string) bool {
	return x.lateName != nil && (pre != nil || x.lateName(name))
}

// lateRef says whether a reference leads to such a place; local says whether it goes to a carried copy instead.
func (x *extractor) lateRef(ref unit.Ref, local func(unit.Ref) bool) bool {
	switch {
	case x.lateName == nil || ref.Table != nil:
		return false
	case ref.To != nil:
		return !(x.carried[ref.To] && local(ref))
	}
	return x.lateName(ref.External.Name)
}

// lateName is what a place is called during the link. objtool must not take the trampoline of a static call for one when
// it is known late: the call goes through the trampoline then, as a static call does where the kernel cannot patch it.
func lateName(late bool, name string) string {
	if rest, ok := strings.CutPrefix(name, trampoline); ok && late {
		return "static_call." + rest
	}
	return name
}

// checkLate looks at an entry of a special section that is to be carried. A tracepoint of the module stays silent in the
// carried function: objtool makes the branch a nop, and the entry goes when the module is linked. Tracepoints are off
// until somebody turns them on, and dropping one changes nothing but what a tracer sees. Any other entry with a
// reference known late is refused.
func (x *extractor) checkLate(e unit.Entry, local func(unit.Ref) bool) {
	if x.lateName == nil {
		return
	}
	owner := e.Refs[0].To
	if e.Alt != nil && x.patchedLate(e, local) {
		x.cannot(NotExtractable, owner, "an alternative for this CPU replaces an instruction that refers to the module itself",
			"change a caller of the function instead, or reboot into a fixed kernel")
		return
	}
	i := slices.IndexFunc(e.Refs, func(r unit.Ref) bool { return x.lateRef(r, local) })
	switch {
	case i < 0:
	case e.Section.Name != "__jump_table" || i != len(e.Refs)-1:
		x.cannot(NotExtractable, owner, fmt.Sprintf("an entry of %s refers to %s, of which the kernel learns the address too late", e.Section.Name, e.Refs[i].Name()),
			"change a caller of the function instead, or reboot into a fixed kernel")
	case TracepointKey(e.Refs[i]):
		name := strings.TrimPrefix(e.Refs[i].Name(), tracepoint)
		if text := name + " in " + owner.Name; !slices.Contains(x.ext.Silent, text) {
			x.ext.Silent = append(x.ext.Silent, text)
		}
	default:
		x.cannot(ModuleKey, owner, fmt.Sprintf("it branches on the static key %s of the module itself, which the kernel would read before it knows where it is", e.Refs[i].Name()),
			"change a caller of the function instead, or ship the module")
	}
}

const tracepoint = "__tracepoint_"

// TracepointKey says whether the key of an entry of __jump_table is that of a tracepoint, with a branch that is not taken
// while the key is off, as it is at first.
//
// Source: include/linux/jump_label.h and tracepoint.h, v4.8 to v7.0: the lowest bit of the key's address says that the
// branch is the likely one.
func TracepointKey(key unit.Ref) bool {
	const likely = 1
	return strings.HasPrefix(key.Name(), tracepoint) && key.ToOffset&likely == 0
}

// patchedLate says whether an alternative touches an instruction that is filled in late, or brings one: it is applied
// first, and the other would write over it.
func (x *extractor) patchedLate(e unit.Entry, local func(unit.Ref) bool) bool {
	if slices.ContainsFunc(e.Replacement.Refs, func(r unit.Ref) bool { return x.lateRef(r, local) }) {
		return true
	}
	refs, err := x.Post.Refs(e.Refs[0].To)
	start := e.Refs[0].ToOffset
	end := start + int64(e.Alt.Patched(e.Data()))
	return err == nil && slices.ContainsFunc(refs, func(r unit.Ref) bool {
		return int64(r.Offset) >= start && int64(r.Offset) < end && x.lateRef(r, x.carry)
	})
}
