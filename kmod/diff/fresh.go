package diff

import (
	"strings"

	"livesplice/kmod/unit"
)

// freshNames are static variables that macros of the kernel make at each place of use. They hold no state that must
// survive, or state that belongs to the place alone (a message printed once), so that new code gets its own copy and
// a counterpart is never looked for.
var freshNames = map[string]bool{
	"__key": true, "__warned": true, "__already_done": true, "__func__": true, "__PRETTY_FUNCTION__": true, "__FUNCTION__": true,
	"_rs": true, "CSWTCH": true, "_entry": true, "_entry_ptr": true, "__print_once": true,
	"__msg": true, "trace_printk_fmt": true, "__section_index": true,
}

// debugSite are the names of the struct _ddebug that dynamic debug makes for each pr_debug(), in a section of its own.
//
// Source: include/linux/dynamic_debug.h, v5.10 and v6.1.
var debugSite = map[string]bool{"descriptor": true, "__UNIQUE_ID_ddebug": true}

const dynamicDebug = "__dyndbg"

// isDynamicDebug says whether a section holds them. Up to 5.8 it was called otherwise.
func isDynamicDebug(section string) bool { return section == dynamicDebug || section == "__verbose" }

// onceDone is the flag of DO_ONCE, by which a secret of the network stack is drawn a single time. A copy of it would
// let new code draw another secret, and lose every entry of the hash tables that the first one is used for.
//
// Source: include/linux/once.h, v5.10 to v7.0.
const onceDone = "___done"

// compoundLiteral is the compiler's name of an object without a name in C, (struct s){ 1 } outside of functions. A constant
// one is told by its content alone.
const compoundLiteral = "__compound_literal"

// Fresh says whether included code gets its own copy of a datum instead of a reference to the original. Unnamed data
// is fresh when nobody can write to it; data of no size has no content that could be shared.
func Fresh(it *unit.Item) bool {
	sec := it.Section.Name
	switch it.Kind {
	case unit.Literal:
		return true
	case unit.Anonymous:
		// What UBSAN reports with is written to, once, to mark it as reported.
		return unit.Piecewise(sec) || !it.Section.Exec() && !it.Writable() || strings.HasPrefix(sec, ".data..Lubsan")
	case unit.Datum:
		base := freshBase(it.Name)
		if it.LabelsOf != nil {
			return true // it goes with the code of its function
		}
		if debugSite[base] {
			return isDynamicDebug(sec) // elsewhere it is a variable that happens to be called so
		}
		if it.Own {
			return false
		}
		// Macros are used in functions, whose static variables the compiler names anew; one of the whole unit that is called
		// so keeps its name, and its state.
		return base != it.Name && (onceFlag(it) && base != onceDone || freshNames[base] && shapeOfMacro(it, base)) || it.Size() == 0 || base == compoundLiteral && !it.Writable()
	}
	return false
}

// freshBase gives what macros or the compiler named, where a datum is of that kind: without the compiler's number, without
// what __UNIQUE_ID puts around it (__UNIQUE_ID_ddebug123), and without the function that clang names (f.descriptor,
// __func__.f). Of any other datum it is the name without the number.
func freshBase(name string) string {
	head, tail, dotted := strings.Cut(name, ".")
	candidates := []string{name, tail, head}
	if !dotted {
		candidates = candidates[:1]
	}
	for _, c := range candidates {
		base := unit.BaseName(c)
		for _, b := range []string{base, strings.TrimPrefix(base, "__UNIQUE_ID_")} {
			if freshNames[b] || debugSite[b] {
				return b
			}
		}
	}
	return strings.TrimPrefix(unit.BaseName(name), "__UNIQUE_ID_")
}
