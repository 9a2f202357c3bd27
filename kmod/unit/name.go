package unit

import (
	"regexp"
	"strings"
)

var coldName = regexp.MustCompile(`^(.+)\.cold(\.\d+)?$`)

// ColdParent gives the name of the function whose rarely executed part has the given name.
func ColdParent(name string) (parent string, ok bool) {
	m := coldName.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// uniqueLocal is the second number of a static local that a macro named with __UNIQUE_ID.
var uniqueLocal = regexp.MustCompile(`\.\d+$`)

// btfID is the number behind the name of a BTF id: the place in the file and the line of its macro.
//
// Source: include/linux/btf_ids.h, v6.1.
var btfID = regexp.MustCompile(`^(__BTF_ID__.*__)\d+$`)

var cloneNumber = regexp.MustCompile(`(\.(isra|constprop|part|cold|llvm))?\.\d+$`)

// BaseName is the name without the numbers that the compiler appends: foo.constprop.0 becomes foo.constprop, the
// static local count.12 becomes count, __UNIQUE_ID_x123 becomes __UNIQUE_ID_x.
func BaseName(name string) string {
	if m := btfID.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	if strings.HasPrefix(name, "__UNIQUE_ID_") {
		return strings.TrimRight(uniqueLocal.ReplaceAllString(name, ""), "0123456789")
	}
	for {
		m := cloneNumber.FindStringSubmatchIndex(name)
		if m == nil {
			return name
		}
		keep := name[:m[0]]
		if m[2] >= 0 {
			// .isra.0: the kind of clone stays, its number goes
			return BaseName(keep) + name[m[2]:m[3]]
		}
		name = keep
	}
}
