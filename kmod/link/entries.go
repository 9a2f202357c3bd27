package link

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// sameTables holds the table entries of an item of post against those in the module.
func (v *verifier) sameTables(s *side, post, mod *unit.Item) error {
	entries, err := v.carriedEntries(s, post, mod)
	if err != nil {
		return err
	}
	a, b := byTable(entries), byTable(v.tables[mod])
	for _, table := range tableNames(a, b) {
		if len(a[table]) != len(b[table]) {
			return fmt.Errorf("%s: %d entries in %s, in the module %d", post, len(a[table]), table, len(b[table]))
		}
		for i, e := range a[table] {
			if err := v.sameEntry(s, post, mod, e, b[table][i]); err != nil {
				return fmt.Errorf("%s: entry %d: %w", table, i, err)
			}
		}
	}
	return nil
}

// sameEntry compares two entries. The first reference of each names the item that is being compared.
func (v *verifier) sameEntry(s *side, post, mod *unit.Item, a, b unit.Entry) error {
	if len(a.Data()) != len(b.Data()) || len(a.Refs) != len(b.Refs) {
		return fmt.Errorf("%s: %d bytes with %d references, in the module %d with %d", post, len(a.Data()), len(a.Refs), len(b.Data()), len(b.Refs))
	}
	for i, ra := range a.Refs {
		rb := b.Refs[i]
		if ra.Offset != rb.Offset || ra.Type != rb.Type {
			return fmt.Errorf("%s: reference of type %d at %#x, in the module of type %d at %#x", post, ra.Type, ra.Offset, rb.Type, rb.Offset)
		}
		switch {
		case ra.To == post:
			if rb.To != mod || rb.ToOffset != ra.ToOffset {
				return fmt.Errorf("leads to %s%+d, in the module to %s%+d", ra.Name(), ra.ToOffset, rb.Name(), rb.ToOffset)
			}
		case a.Section.Name == ".altinstructions" && ra.Table != nil && rb.Table != nil:
			x, y := a.Replacement, b.Replacement
			if err := v.sameBytes(s, post, x.Data(), y.Data(), x.Refs, y.Refs, nil); err != nil {
				return fmt.Errorf("replacement code: %w", err)
			}
		default:
			if err := v.sameTarget(s, post, ra, rb); err != nil {
				return fmt.Errorf("%s+%#x: %w", post, a.Refs[0].ToOffset, err)
			}
		}
	}
	return sameOutside(post, a.Data(), b.Data(), a.Refs, map[uint64]bool{})
}

// byTable groups entries by table. Annotations for objtool are gone from a finished module.
func byTable(entries []unit.Entry) map[string][]unit.Entry {
	out := map[string][]unit.Entry{}
	for _, e := range entries {
		if name := e.Section.Name; !strings.HasPrefix(name, ".discard.") {
			out[name] = append(out[name], e)
		}
	}
	return out
}

func tableNames(maps ...map[string][]unit.Entry) []string {
	var out []string
	for _, m := range maps {
		for name := range m {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// own are the functions and data of the module that are not of any unit: those of its source file and of modpost.
var own = map[string]bool{"livesplice_init": true, "livesplice_exit": true, "init_module": true, "cleanup_module": true,
	"livesplice_patch": true, objectArray: true, "__this_module": true, "____versions": true,
	"livesplice_enable": true, "livesplice_enable_ops": true, "livesplice_reset": true, "__param_enable": true, "__param_str_enable": true,
	patched: true, unloaded: true, "livesplice_prepare": true, "livesplice_finish": true, "livesplice_watch": true, "livesplice_unwatch": true,
	"livesplice_notify": true, "livesplice_notifier": true, "livesplice_lock": true, "livesplice_resolved": true, "livesplice_held": true,
	"livesplice_late": true, "livesplice_clear": true, "livesplice_hide": true, "livesplice_exchange": true,
	"livesplice_states": true, "livesplice_keep": true, "livesplice_forget": true, "livesplice_spare": true, "livesplice_renew": true}

// rest looks at what no unit accounts for: functions that are listed though nothing changed them, items and table
// entries without a counterpart, and the sites of static calls, which objtool adds.
func (v *verifier) rest(list map[vmlinux.At]*listed) (errs []error) {
	for _, l := range list {
		if !l.used {
			errs = append(errs, fmt.Errorf("module: %s: replaced, though no unit changed it", l.name))
		}
	}
	for _, it := range v.mod.Items {
		name, _, _ := strings.Cut(root(it).Name, ".") // gcc makes clones of them
		known := v.back[it] != nil || own[name] || strings.HasPrefix(it.Name, functionArrays) || it.Kind == unit.Literal || strings.HasPrefix(it.Name, "__UNIQUE_ID_") ||
			it.Section.Name == ".return_sites" || it.Section.Type == elf.SHT_NOTE
		if !known && (it.Kind == unit.Function || it.Kind == unit.Datum) {
			errs = append(errs, fmt.Errorf("module: %s %s in section %s is not part of any unit", it.Kind, it, it.Section.Name))
		}
		for _, e := range v.tables[it] {
			if !known {
				errs = append(errs, fmt.Errorf("module: section %q: entry at %#x belongs to %s, which is not part of any unit", e.Section.Name, e.Start, it))
			}
		}
	}
	return append(append(errs, v.entrySizes()...), v.objtool()...)
}

// entrySizes finds entries that belong to no item at all: the sizes of those that do must add up.
func (v *verifier) entrySizes() (errs []error) {
	sum := map[string]uint64{}
	for _, entries := range v.tables {
		for _, e := range entries {
			sum[e.Section.Name] += min(e.End, e.Section.Size()) - e.Start
		}
	}
	for _, name := range []string{"__jump_table", "__bug_table", ".altinstructions", "__ex_table", ".parainstructions", ".smp_locks", "__mcount_loc", "__patchable_function_entries"} {
		if sec := v.mod.Obj.Section(name); sec != nil && sec.Size() != sum[name] {
			errs = append(errs, fmt.Errorf("module: section %q: entries for %d of its %d bytes", name, sum[name], sec.Size()))
		}
	}
	return errs
}
