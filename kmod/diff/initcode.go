package diff

import (
	"strings"

	"livesplice/kmod/unit"
)

// What a kernel frees after boot is a fact of its image. The names of most sections tell it for all kernels; those of some
// (.meminit.text) do not, and are asked for, by Options.Freed.

// markFreed marks the items of both objects that lie in sections which this kernel frees, and others do not.
func (r *Result) markFreed() {
	if r.Options.Freed == nil || r.Options.Module {
		return
	}
	for _, u := range []*unit.Unit{r.Pre, r.Post} {
		for _, s := range u.Obj.Sections {
			if unit.KnownSection(s.Name).InitIn == "" || !r.Options.Freed(r.Pre, s.Name) {
				continue
			}
			for _, it := range u.ItemsIn(s) {
				it.Freed = true
			}
		}
	}
}

// bootOnly says whether an item is in a section that code which stays must not refer to.
func bootOnly(it *unit.Item) bool {
	use := unit.KnownSection(it.Section.Name).Use
	return use == unit.InitText || use == unit.InitData || it.Freed
}

// exitCode says whether an item is in a section of exit code: that of what is built in is discarded by the last link or freed
// with the init code, that of a module stays until the module goes.
//
// Source: EXIT_TEXT and RUNTIME_DISCARD_EXIT, include/asm-generic/vmlinux.lds.h, v6.1; kernel/module/main.c, module_exit_section.
func exitCode(it *unit.Item) bool { return strings.HasPrefix(it.Section.Name, ".exit.") }

// neverRuns says whether a function is never run again in a kernel that has booted and loaded its modules.
func (r *Result) neverRuns(it *unit.Item) bool {
	return bootOnly(it) && !(r.Options.Module && exitCode(it))
}

// runAtLoad gives one of the functions that is init code of a module: livepatch changes what a module that comes later has, and then
// that runs.
//
// Source: kernel/module/main.c, load_module and prepare_coming_module, v6.1.
func (r *Result) runAtLoad(functions []*unit.Item) *unit.Item {
	for _, it := range functions {
		if r.Options.Module && bootOnly(it) && !exitCode(it) {
			return it
		}
	}
	return nil
}

// Gone says of a function of pre whether the comparison took it for one that the running kernel no longer has. Who has found it in
// the shipped binary can tell whether that holds.
func (r *Result) Gone(pre *unit.Item) bool { return pre.Kind == unit.Function && r.neverRuns(pre) }
