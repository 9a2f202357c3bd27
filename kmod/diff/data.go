package diff

import (
	"cmp"
	"debug/elf"
	"fmt"
	"strings"

	"livesplice/kmod/unit"
)

// data refuses changes to what the kernel has initialised already, and to tables that it has read.
func (r *Result) data() error {
	preUsed, err := referenced(r.Pre, r.cmp.special[r.Pre])
	if err != nil {
		return err
	}
	postUsed, err := referenced(r.Post, r.cmp.special[r.Post])
	if err != nil {
		return err
	}
	for _, it := range r.Post.Items {
		if it.Kind != unit.Datum && it.Kind != unit.Anonymous || r.neverCalled(it.Section.Name) {
			continue
		}
		if pre := r.PreOf(it); pre == nil {
			r.newDatum(it, postUsed[it])
		} else {
			r.pairedDatum(pre, it, preUsed[pre] || postUsed[it])
		}
	}
	r.removed(preUsed)
	r.commonData()
	r.refuseUnknownSections()
	return nil
}

// refuseUnknownSections refuses to change code of a unit that has a section that is not known: the kernel
// may walk it, or expect something of what is in it.
func (r *Result) refuseUnknownSections() {
	if len(r.changed)+len(r.local) == 0 {
		return // what is new or changed in such a section is refused by itself
	}
	seen := map[string]bool{}
	for _, u := range []*unit.Unit{r.Pre, r.Post} {
		for _, s := range u.Obj.Sections {
			if !s.Alloc() || s.Type == elf.SHT_RELA || s.Type == elf.SHT_NOTE || s.Size() == 0 || seen[s.Name] || u.KnownSection(s.Name).Use != 0 {
				continue
			}
			seen[s.Name] = true
			r.Refusals = append(r.Refusals, Refusal{Code: UnknownSection, Unit: r.Unit, Subject: s.Name, Reason: "the file has a section of this name, and what the kernel does with it is not known",
				Remedy: "report this as a bug of livesplice, with the kernel's version"})
		}
	}
}

// referenced are the items that other items or entries of special sections refer to. What nothing refers to is found
// by the kernel through the bounds of its section, or is not used at all.
func referenced(u *unit.Unit, tables unit.Tables) (map[*unit.Item]bool, error) {
	used := make(map[*unit.Item]bool, len(u.Items))
	note := func(refs []unit.Ref) {
		for _, ref := range refs {
			used[ref.To] = true
		}
	}
	for _, it := range u.Items {
		refs, err := u.Refs(it)
		if err != nil {
			return nil, err
		}
		note(refs)
	}
	for _, entries := range tables {
		for _, e := range entries {
			note(e.Refs)
			note(e.Replacement.Refs)
		}
	}
	return used, nil
}

// ordinary says whether a section holds code and data that only code uses.
func ordinary(section string) bool {
	switch unit.KnownSection(section).Use {
	case unit.Text, unit.InitText, unit.Data, unit.InitData:
		return !isDynamicDebug(section)
	}
	return false
}

func (r *Result) newDatum(it *unit.Item, used bool) {
	sec := it.Section.Name
	switch table, what := bootTable(sec), leftOut(sec); {
	case what != "":
		if it.Kind == unit.Datum || strings.HasPrefix(sec, "___ksymtab") {
			if to := entryOf(r.Post, it); to != nil && r.PreOf(to) != nil {
				r.note("%s: new %s for %s, left out until the next boot: the running kernel has %s as before, without it", sec, what, to.Name, to.Name)
				return
			}
			r.note("%s: new %s, left out until the next boot: nothing that runs now can use it but the update itself", sec, what)
		}
	case table != "":
		r.change(it, New)
		r.refuseEntry(r.Post, it, "new "+table+": the kernel reads "+sec+" only at boot or when a module loads",
			"take it out of the patch; it takes effect with the next reboot")
	case it.Kind == unit.Anonymous && !used && !it.Section.Exec() && !ordinary(sec):
		r.change(it, New)
		r.refusePost(UnknownSection, it, "new entry in section "+sec+", and what it means is not known", "report this as a bug of livesplice, with the kernel's version")
	case it.Kind == unit.Datum && !Fresh(it) && !used && !ordinary(sec):
		r.change(it, New)
		r.refusePost(UnknownSection, it, "new datum in section "+sec+" that no code refers to: the kernel may walk the section, and has done so already",
			"take it out of the patch; it takes effect with the next reboot")
	case it.Kind == unit.Datum && !Fresh(it):
		r.change(it, New)
		if it.Writable() && used {
			r.note("new variable %s: it starts with its initial value when the update is applied", it.Name)
		}
	}
}

// leftOut says what a section holds of which new entries can be left out without harm, or "".
func leftOut(section string) string {
	if s := unit.KnownSection(section); s.Use == unit.LateTable {
		return s.Holds
	}
	return ""
}

func (r *Result) pairedDatum(pre, it *unit.Item, used bool) {
	sec := it.Section.Name
	table := bootTable(sec)
	if Fresh(it) && table == "" && (it.Kind == unit.Datum || used) {
		return // compared where it is referred to
	}
	if pre.Section.Name != sec && (table != "" || bootTable(pre.Section.Name) != "") {
		r.change(it, Changed)
		r.refuseEntry(r.Post, it, fmt.Sprintf("it moved from %s to %s, of which the kernel has read at least one already", pre.Section.Name, sec),
			"take it out of the patch; it takes effect with the next reboot")
		return
	}
	if was, is := storageOf(pre), storageOf(it); !is.fits(was) {
		r.change(it, Changed)
		r.refusePost(DataChanged, it, fmt.Sprintf("existing data moved from %s (%s) to %s (%s), and the running kernel's copy stays where it is", was, pre.Section.Name, is, sec),
			"keep the attributes of the datum, or give the new one another name")
		return
	} else if is == afterInit && was != is {
		r.note("%s is %s now: the running kernel goes on letting it be written", it.Name, is)
	}
	if was, is := unit.KnownSection(pre.Section.Name).Fixed, unit.KnownSection(sec).Fixed; was != is {
		r.change(it, Changed)
		r.refusePost(DataChanged, it, fmt.Sprintf("existing data moved from %s to %s (%s), and the running kernel's copy stays where it is", pre.Section.Name, sec, cmp.Or(is, was)),
			"keep the attributes of the datum, or give the new one another name")
		return
	}
	if was, is := alignmentAlone(r.Pre, pre), alignmentAlone(r.Post, it); was > 0 && is > was {
		r.change(it, Changed)
		r.refusePost(DataChanged, it, fmt.Sprintf("alignment (%d to %d bytes) of existing data changed, and the running kernel's copy stays where it is", was, is),
			"keep the attributes of the datum, or give the new one another name")
		return
	}
	// As in functions, there are exceptions and jump labels in assembly of a C file.
	if same, err := r.cmp.function(pre, it); err == nil && same {
		return
	}
	r.change(it, Changed)
	switch {
	case table != "":
		r.refuseEntry(r.Post, it, table+" changed: the kernel has read "+sec+" already",
			"take it out of the patch; it takes effect with the next reboot")
	case it.Kind == unit.Anonymous && it.Section.Exec():
		r.refusePost(NotExtractable, it, "code without a symbol of its own changed in "+sec, "change C code instead, or reboot into a fixed kernel")
	case it.Kind == unit.Anonymous && !ordinary(sec):
		r.refusePost(UnknownSection, it, "entries of section "+sec+" changed, and what they mean is not known", "report this as a bug of livesplice, with the kernel's version")
	default:
		what := "initialised content"
		if pre.Size() != it.Size() {
			what = fmt.Sprintf("size (%d to %d bytes)", pre.Size(), it.Size())
		}
		why := "the running kernel's copy may have changed since boot"
		if storageOf(it) == constant {
			why = "the running kernel goes on using its own"
		}
		if by := r.holders[it]; by != "" {
			why += ": " + by + ", and so may objects that exist"
		}
		r.refusePost(DataChanged, it, what+" of existing data changed"+r.changedFields(pre, it)+", and "+why,
			"change the code that uses it instead")
	}
}

func (r *Result) removed(preUsed map[*unit.Item]bool) {
	for _, it := range r.Pre.Items {
		if r.cmp.postOf[it] != nil || it.Kind == unit.Literal || r.neverCalled(it.Section.Name) {
			continue
		}
		sec := it.Section.Name
		table := bootTable(sec)
		switch {
		case it.Kind == unit.Function:
			r.Counts.Removed++
			r.Changes = append(r.Changes, Change{Name: it.Name, Kind: "function", Verdict: Removed, item: it})
		case table != "":
			r.entryRemoved(it, table)
		case it.Kind == unit.Anonymous && !preUsed[it] && !it.Section.Exec() && !ordinary(sec):
			r.change(it, Removed)
			r.refuse(UnknownSection, it, "entry of section "+sec+" removed, and what it means is not known", "report this as a bug of livesplice, with the kernel's version")
		case it.Kind == unit.Datum && !Fresh(it):
			r.change(it, Removed)
			switch {
			case !it.Writable() || !preUsed[it] || r.lostOne(it):
			case r.cmp.unscoped && !it.Global() && r.state(it):
				r.note("variable %s is no longer used, or the compiler put its initial value into the code since nothing writes it any more, which without debug information (-g) cannot be told: what it holds in the running kernel stays there", it.Name)
			default:
				r.note("variable %s is no longer used: what it holds in the running kernel stays there", it.Name)
			}
		}
	}
}

// alignmentAlone is the alignment of a datum in bytes, as its section says that holds nothing else; 0 in a section of several,
// where it cannot be told.
func alignmentAlone(u *unit.Unit, it *unit.Item) uint64 {
	if it.Kind != unit.Datum || len(u.ItemsIn(it.Section)) != 1 {
		return 0
	}
	return max(it.Section.Align, 1)
}

// storage says how the kernel keeps a datum at run time.
type storage string

const (
	variable    storage = "a variable"
	constant    storage = "a constant"
	afterInit   storage = "a variable that is read-only after boot"
	initOnly    storage = "data that is freed after boot"
	perCPU      storage = "a per-CPU variable"
	threadLocal storage = "a thread-local variable"
)

func storageOf(it *unit.Item) storage {
	switch sec := it.Section.Name; {
	case it.ThreadLocal():
		return threadLocal
	case strings.HasPrefix(sec, ".data..percpu"):
		return perCPU
	case bootOnly(it):
		return initOnly
	case strings.HasPrefix(sec, ".data..ro_after_init"):
		return afterInit
	case it.Writable():
		return variable
	}
	return constant
}

// fits says whether code compiled for a datum kept as s works with one that is kept as old. The compiler makes a
// constant of a static variable whose last writer is gone; the opposite would let new code write to read-only memory.
func (s storage) fits(old storage) bool {
	switch {
	case s == old:
		return true
	case old == variable:
		return s == constant || s == afterInit || s == initOnly
	case old == afterInit:
		return s == constant || s == initOnly
	case old == constant:
		return s == initOnly
	}
	return false
}

// bootTable says what a section holds that the kernel walks at boot or module load, or "" for ordinary data.
func bootTable(section string) string {
	switch s := unit.KnownSection(section); s.Use {
	case unit.BootTable, unit.LateTable:
		return s.Holds
	}
	return ""
}
