package diff

import (
	"regexp"

	"livesplice/kmod/unit"
)

// fileLine is __FILE__ ":" __stringify(__LINE__) in a text. Warnings of memcpy() and its kin name the place of the call so.
//
// Source: include/linux/fortify-string.h, __fortify_memcpy_chk, v6.1.
var fileLine = regexp.MustCompile(`([A-Za-z0-9_./+-]+\.[ch]:)[0-9]+`)

// SameTextButLines says whether two texts differ in nothing but the numbers of lines behind the names of source files.
func SameTextButLines(a, b *unit.Item) bool {
	if a.Kind != unit.Literal || !a.Section.Strings() || !b.Section.Strings() || a.Section.EntSize != 1 || b.Section.EntSize != 1 {
		return false
	}
	const line = "${1}0"
	return string(fileLine.ReplaceAll(a.Bytes(), []byte(line))) == string(fileLine.ReplaceAll(b.Bytes(), []byte(line)))
}
