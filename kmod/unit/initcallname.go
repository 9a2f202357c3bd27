package unit

import "strings"

// cutInitcall takes the counter and the line out of the name of an initcall: __initcall__kmod_x__123_45_fn6 becomes
// __initcall__kmod_x__fn6. Where the kernel has no relative addresses in such tables (ppc64le), this is a variable; elsewhere
// a label. With LTO a stub of this name calls the function.
//
// Source: include/linux/init.h, __initcall_id and __initcall_name, v5.10 to v7.2.
func cutInitcall(name string) (keep string, ok bool) {
	prefix := "__initcall__kmod_"
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		prefix = "__initstub__kmod_"
		if rest, ok = strings.CutPrefix(name, prefix); !ok {
			return "", false
		}
	}
	// The module's name can have numbers in it too: the last pair of numbers behind two underscores counts.
	for i := strings.LastIndex(rest, "__"); i > 0; i = strings.LastIndex(rest[:i], "__") {
		behind := rest[i+2:]
		counter, more := leadingNumber(behind)
		line, function := leadingNumber(strings.TrimPrefix(more, "_"))
		if counter != "" && strings.HasPrefix(more, "_") && line != "" && len(function) > 1 && function[0] == '_' {
			return prefix + rest[:i] + "__" + function[1:], true
		}
	}
	return "", false
}

// leadingNumber splits a text behind the digits that it begins with.
func leadingNumber(s string) (number, rest string) {
	rest = strings.TrimLeft(s, digits)
	return s[:len(s)-len(rest)], rest
}
