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
	"descriptor": true, "_rs": true, "CSWTCH": true, "_entry": true, "_entry_ptr": true, "__print_once": true,
	"___done": true, "__UNIQUE_ID_ddebug": true, "__msg": true, "trace_printk_fmt": true, "__section_index": true,
}

// Fresh says whether included code gets its own copy of a datum instead of a reference to the original.
func Fresh(it *unit.Item) bool {
	switch it.Kind {
	case unit.Literal, unit.Anonymous:
		return true
	case unit.Datum:
		return it.Section.Name == ".data.once" || freshNames[freshBase(it.Name)]
	}
	return false
}

// freshBase strips the compiler's number; __UNIQUE_ID_ddebug123 and __UNIQUE_ID___already_done45 keep what macros named.
func freshBase(name string) string {
	base := unit.BaseName(name)
	if !freshNames[base] {
		base = strings.TrimPrefix(base, "__UNIQUE_ID_")
	}
	return base
}
