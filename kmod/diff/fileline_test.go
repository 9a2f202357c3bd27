package diff_test

import (
	"debug/elf"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// TestSameTextButLines: only strings of single bytes name a line.
func TestSameTextButLines(t *testing.T) {
	const strings = elf.SHF_ALLOC | elf.SHF_MERGE | elf.SHF_STRINGS
	text := func(content string, flags elf.SectionFlag, size uint64) *unit.Item {
		s := &elfobj.Section{Type: elf.SHT_PROGBITS, Flags: flags, EntSize: size, Data: []byte(content)}
		return &unit.Item{Kind: unit.Literal, Section: s, End: uint64(len(content))}
	}
	a, variable := text("lib/a.c:12: x\x00", strings, 1), text("lib/a.c:13: x\x00", strings, 1)
	variable.Kind = unit.Datum
	for _, c := range []struct {
		name string
		a, b *unit.Item
		want bool
	}{
		{"another line", a, text("lib/a.c:13: x\x00", strings, 1), true},
		{"a line of another length", a, text("lib/a.c:1300: x\x00", strings, 1), true},
		{"another file", a, text("lib/b.c:12: x\x00", strings, 1), false},
		{"other words", a, text("lib/a.c:12: y\x00", strings, 1), false},
		{"a number that is no line", text("take 12\x00", strings, 1), text("take 13\x00", strings, 1), false},
		{"wide characters in post", a, text("lib/a.c:13: x\x00", strings, 2), false},
		{"wide characters in pre", text("lib/a.c:13: x\x00", strings, 2), a, false},
		{"no strings in post", a, text("lib/a.c:13: x\x00", elf.SHF_ALLOC|elf.SHF_MERGE, 1), false},
		{"no strings in pre", text("lib/a.c:13: x\x00", elf.SHF_ALLOC|elf.SHF_MERGE, 1), a, false},
		{"a variable", variable, a, false},
	} {
		if got := diff.SameTextButLines(c.a, c.b); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
