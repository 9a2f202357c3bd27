package link

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/vmlinux"
)

// State is a section of the update's module with variables that the patch adds to a patched module. See kernel/unload.c.
type State struct {
	Module  string `json:"module"`
	Section string `json:"section"`
}

// states are the sections of all units with what begins anew. A section of one name in the units of two targets is one in the
// module, and left as it is.
func states(units []Unit) (out []State) {
	targets := map[string][]string{}
	for _, u := range units {
		if u.Extract == nil || u.Extract.Obj == nil {
			continue
		}
		for _, s := range variableSections(u.Extract.Obj) {
			if !slices.Contains(targets[s.Name], u.Target) {
				targets[s.Name] = append(targets[s.Name], u.Target)
			}
		}
	}
	for name, of := range targets {
		if len(of) == 1 && of[0] != vmlinux.Object {
			out = append(out, State{of[0], name})
		}
	}
	slices.SortFunc(out, func(a, b State) int { return strings.Compare(a.Section, b.Section) })
	return out
}

// variableSections are those with variables that only code of the unit changes: not what the kernel writes once (.data..ro_after_init),
// has a copy of for each processor, or keeps lists of its own in, such as static keys, to which its tables lead.
func variableSections(o *elfobj.Object) (out []*elfobj.Section) {
	kept := map[*elfobj.Section]bool{}
	for _, s := range o.Sections {
		if s.Type != elf.SHT_RELA || s.Applies == nil || s.Applies.Flags&elf.SHF_ALLOC == 0 || s.Applies.Exec() || ordinaryData(s.Applies.Name) {
			continue
		}
		for _, r := range s.Relocs {
			if r.Sym != nil {
				kept[r.Sym.Section] = true
			}
		}
	}
	for _, s := range o.Sections {
		plain := s.Name == ".data" || s.Name == ".bss" // which hold what livepatch has of the update, too
		if s.Flags&elf.SHF_WRITE != 0 && s.Flags&elf.SHF_ALLOC != 0 && s.Size() > 0 && ordinaryData(s.Name) && !plain && !kept[s] {
			out = append(out, s)
		}
	}
	return out
}

// ordinaryData says whether a section holds variables or constants of the source, and is no table.
func ordinaryData(name string) bool {
	for _, p := range []string{".data..percpu", ".data..ro_after_init", ".data.once"} {
		if strings.HasPrefix(name, p) {
			return false
		}
	}
	for _, p := range []string{".data", ".bss", ".rodata"} {
		if name == p || strings.HasPrefix(name, p+".") {
			return true
		}
	}
	return false
}

// stateDefine gives unload.c the list.
func stateDefine(states []State) string {
	if len(states) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("#define LIVESPLICE_STATES")
	for _, s := range states {
		fmt.Fprintf(&b, " { .module = %q, .section = %q },", s.Module, s.Section)
	}
	return b.String() + "\n"
}
