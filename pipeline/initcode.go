package pipeline

import (
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/match"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// image is a shipped binary of which parts are freed after boot, or once a module is loaded.
type image interface {
	Freed(addr uint64) bool
}

// freedSections tells for one unit of vmlinux which of the sections that some kernels keep this one frees: it does where
// functions of the unit in such sections are found among what the image frees, and nowhere else. A section of which
// nothing is found stays: then a change that needs its code replaced is refused for want of an fentry call.
func freedSections(name string, run match.Run, im image) func(pre *unit.Unit, section string) bool {
	var found *match.Result
	return func(pre *unit.Unit, section string) bool {
		if found == nil {
			r, err := match.Match(name, pre, run)
			if err != nil {
				return false // said where the update is matched
			}
			found = r
		}
		freed, stays := 0, 0
		for _, it := range pre.Items {
			if it.Kind != unit.Function || it.Weak() || family(it.Section.Name) != family(section) {
				continue
			}
			if addr, ok := found.Located(it); ok && im.Freed(addr) {
				freed++
			} else if ok {
				stays++
			}
		}
		return freed > 0 && stays == 0
	}
}

// family is what the sections have in common of which a linker script decides at once: .meminit of .meminit.text,
// .text.startup of .text.startup.main.
func family(section string) string {
	parts := strings.SplitN(section, ".", 4)
	if len(parts) > 2 && parts[1] == "text" {
		return "." + parts[1] + "." + parts[2]
	}
	return "." + parts[min(1, len(parts)-1)]
}

// misplaced refuses units whose functions the image has elsewhere than the comparison took for granted: one that stays though it was
// taken for init code, and one to be replaced that the kernel has freed.
func misplaced(u string, d *diff.Result, m *match.Result, im image) (out diff.Refusals) {
	refuse := func(it *unit.Item, reason string) {
		out = append(out, diff.Refusal{Code: diff.InitCode, Unit: u, Subject: it.Name, Source: d.Pre.Source(it), Reason: reason,
			Remedy: "leave this part to the next reboot: take it out of the patch"})
	}
	for _, it := range d.Pre.Items {
		if addr, ok := m.Located(it); ok && d.Gone(it) && !it.Weak() && !im.Freed(addr) {
			refuse(it, "it is in "+it.Section.Name+", and the shipped kernel has it among the code that stays, from where old code goes on running it")
		}
	}
	for _, it := range d.Replaced() {
		if addr, ok := m.Located(d.PreOf(it)); ok && !d.Gone(d.PreOf(it)) && im.Freed(addr) {
			refuse(d.PreOf(it), "it is in "+it.Section.Name+", and the shipped kernel has it among the code that it frees after boot")
		}
	}
	return out
}

// imageOf is the shipped binary of a target that has been read.
func (c *creation) imageOf(target string) image {
	if target == vmlinux.Object {
		return c.image
	}
	return c.targets.opened()[target]
}
