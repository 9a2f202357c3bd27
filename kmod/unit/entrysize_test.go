package unit_test

import (
	"testing"

	"livesplice/kmod/unit/objtest"
)

type sizes map[string]uint64

func (s sizes) StructSize(tag string) (uint64, bool) {
	n, ok := s[tag]
	return n, ok
}

// TestEntrySizes reads a table of two entries of 12 bytes with types that say other sizes, the same, or nothing.
func TestEntrySizes(t *testing.T) {
	const table = `asm(".section .text.f,\"ax\"\n.type f,@function\nf: nop; nop; ret\n.size f,3\n.section __bug_table,\"aw\"\n"
		".long f+1-.\n.long other-.\n.word 7,1\n.long f+2-.\n.long other-.\n.word 8,1\n");`
	for _, c := range []struct {
		name    string
		types   sizes
		entries int
		err     string
	}{
		{"the kernel's", sizes{"bug_entry": 12}, 2, ""},
		{"none", nil, 2, ""},
		{"others only", sizes{"jump_entry": 16}, 2, ""},
		{"twice as much", sizes{"bug_entry": 24}, 1, ""},
		{"another", sizes{"bug_entry": 16}, 0, `section "__bug_table": 24 bytes with 4 relocations are not a table of bug_entry, which the kernel gives 16 bytes`},
		{"half as much", sizes{"bug_entry": 6}, 0, `section "__bug_table": 24 bytes with 4 relocations are not a table of bug_entry, which the kernel gives 6 bytes`},
		{"nothing", sizes{"bug_entry": 0}, 0, `section "__bug_table": 24 bytes with 4 relocations are not a table of bug_entry, which the kernel gives 0 bytes`},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := objtest.Unit(t, table, "-g0")
			if c.types != nil {
				u.Types = c.types
			}
			tables, err := u.Tables()
			if err != nil {
				if err.Error() != c.err {
					t.Errorf("got %v, want %s", err, c.err)
				}
				return
			}
			if n := len(tables[u.ItemOf(u.Obj.Symbol("f"))]); c.err != "" || n != c.entries {
				t.Errorf("%d entries, want %d, %s", n, c.entries, c.err)
			}
		})
	}
}
