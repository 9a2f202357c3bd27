package diff

import (
	"strings"

	"livesplice/kmod/unit"
)

// What the kernel's macros call a variable is no name that they have for themselves. Theirs are static variables in a function, of
// these types; anything else that is called so is a variable like any other. An object without debug information has sections and sizes
// alone to go by.
//
// Source: include/linux/{lockdep_types,ratelimit_types,once_lite,printk,rcupdate}.h, v5.10, v6.1 and v7.2.

// onceFlag says whether a variable is where macros put flags of what is done a single time. Before 4.15 these were in
// .data.unlikely.
func onceFlag(it *unit.Item) bool {
	return (it.Section.Name == ".data.once" || it.Section.Name == ".data..once") && it.Size() == 1
}

// shapeOfMacro says whether a static local that has a name of freshNames can be the macro's, by where it is and how large.
func shapeOfMacro(it *unit.Item, base string) bool {
	const subclassKeys, withHash, ratelimit = 8, 16, 24 // bytes of a lock_class_key with lockdep, before 4.20 and since; the least of a ratelimit_state
	sec := it.Section.Name
	switch base {
	case "__key":
		return it.Size() == 0 || it.Size() == subclassKeys || it.Size() == withHash
	case "__warned", "__already_done":
		return onceFlag(it) || it.Size() == 1 && sec == ".data.unlikely"
	case "__print_once":
		return it.Size() == 1
	case "_rs":
		return it.Size() >= ratelimit
	case "_entry_ptr":
		return sec == ".printk_index"
	case "trace_printk_fmt":
		return sec == "__trace_printk_fmt"
	}
	return !it.Writable() || strings.HasPrefix(sec, ".data.rel.ro")
}

// macroPerhaps says whether it takes the type to tell whether a variable is a macro's.
func macroPerhaps(it *unit.Item) bool {
	if it.Kind != unit.Datum || !it.Writable() || it.Size() == 0 || !Fresh(it) {
		return false
	}
	switch freshBase(it.Name) {
	case "__key", "_rs":
		return true
	case "__warned", "__already_done", "__print_once":
		return !onceFlag(it)
	}
	return false
}

// ofMacro says whether a variable that is called as a macro's is of the macro's type, in a function.
func ofMacro(v *unit.Variable) bool {
	switch v.Name {
	case "__key":
		return v.Function != "" && v.Type == "struct lock_class_key"
	case "_rs":
		return v.Function != "" && v.Type == "struct ratelimit_state"
	case "__warned", "__already_done", "__print_once":
		return v.Function != "" && v.Bool
	}
	return true
}
