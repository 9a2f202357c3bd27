package unit

import (
	"debug/elf"
	"slices"
	"strings"

	"livesplice/kmod/elfobj"
)

// ColdParent gives the name of the function whose rarely executed part has the given name: foo for foo.cold and for
// foo.cold.7.
func ColdParent(name string) (parent string, ok bool) {
	if keep, numbered := cutNumber(name); numbered {
		name = keep
	}
	parent, ok = strings.CutSuffix(name, ".cold")
	if !ok || parent == "" {
		return "", false
	}
	return parent, true
}

// assemblerLabel says whether a symbol is a label of the assembler's, which most machines' objects do not keep: .L12, .LC0,
// .LPFE1, and those of numbered labels. Their numbers mean nothing, and items with such a name are items without one.
//
// Source: binutils 2.44, gas/symbols.c, fb_label_name; gas/doc/as.texi, Symbol Names.
func assemblerLabel(s *elfobj.Symbol) bool {
	const dollar, forwards = "\x01", "\x02"
	return s.Bind == elf.STB_LOCAL && (strings.HasPrefix(s.Name, ".L") || strings.HasPrefix(s.Name, "L") && strings.ContainsAny(s.Name, dollar+forwards))
}

// clones are the kinds of copies and parts that compilers make of functions.
var clones = []string{"isra", "constprop", "part", "cold", "llvm"}

// BaseName is the name without the numbers that the compiler appends: foo.constprop.0 becomes foo.constprop, the
// static local count.12 becomes count, __UNIQUE_ID_x123 becomes __UNIQUE_ID_x, __initcall__kmod_x__1_2_f6
// __initcall__kmod_x__f6.
func BaseName(name string) string {
	if base, ok := cutBTFID(name); ok {
		return base
	}
	if len(name) > longestName {
		return name
	}
	if base, ok := cutInitcall(name); ok {
		return base
	}
	if strings.HasPrefix(name, "__UNIQUE_ID_") {
		// The second number is that of a static local that a macro named with __UNIQUE_ID.
		keep, _ := cutNumber(name)
		// Since 6.17 an underscore stands before the first. Source: include/linux/compiler.h, v6.12 and v7.2.
		return strings.TrimSuffix(strings.TrimRight(keep, digits), "_")
	}
	if of, ok := strings.CutSuffix(name, ".cold"); ok && of != "" {
		return BaseName(of) + ".cold" // foo.isra.0.cold is the part of a clone
	}
	kinds := "" // of clones: they stay, their numbers go
	for {
		keep, ok := cutNumber(name)
		if !ok {
			return name + kinds
		}
		if i := strings.LastIndexByte(keep, '.'); i >= 0 && slices.Contains(clones, keep[i+1:]) {
			keep, kinds = keep[:i], keep[i:]+kinds
		}
		name = keep
	}
}

// longestName bounds the names of which the parts are looked at, in bytes. The kernel's have no more than 511.
const longestName = 1 << 12

const digits = "0123456789"

// cutNumber takes ".12" off the end of a name; without one it gives the name as it is.
func cutNumber(name string) (keep string, ok bool) {
	keep = strings.TrimRight(name, digits)
	if len(keep) == len(name) || !strings.HasSuffix(keep, ".") {
		return name, false
	}
	return keep[:len(keep)-1], true
}

// cutBTFID takes the number off the name of a BTF id, which is the place in the file and the line of its macro.
//
// Source: include/linux/btf_ids.h, v6.1.
func cutBTFID(name string) (keep string, ok bool) {
	const prefix, end = "__BTF_ID__", "__"
	if !strings.HasPrefix(name, prefix) {
		return "", false
	}
	keep = strings.TrimRight(name, digits)
	return keep, len(keep) < len(name) && strings.HasSuffix(keep[len(prefix):], end)
}
