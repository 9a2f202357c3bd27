package unit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// TestTableLayouts reads tables in the layouts of kernels 3.10 to 7.2, without the kernel's types: how large an entry is,
// the table itself tells.
func TestTableLayouts(t *testing.T) {
	const code = `asm(".section .text.f,\"ax\"\n.type f,@function\nf: nop; nop; nop; ret\n.size f,4\n.section .text.g,\"ax\"\n.type g,@function\ng: nop; ret\n.size g,2\n"
		".section .altinstr_replacement,\"ax\"\nr: nop; nop\n%s");`
	section := func(name string, entries ...string) string {
		return ".section " + name + `,\"a\"\n` + strings.Join(entries, "")
	}
	const (
		jump24  = `.quad f+1,f+2,key+1\n`
		jump16  = `.long f+1-.,f+2-.\n.quad key-.\n`
		ex8     = `.long f+1-.,f+2-.\n`
		ex8g    = `.long g-.,g+1-.\n`
		ex16abs = `.quad f+1,f+2\n`
		ex12    = `.long f+1-.,f+2-.,ex_handler_default-.\n`
		ex12new = `.long f+1-.,f+2-.,3\n`
		ex16    = `.long f+1-.,f+2-.\n.quad 0\n`
		alt12   = `.long f+1-.,r-.\n.word 7\n.byte 1,1\n`
		alt13   = `.long f+1-.,r-.\n.word 7\n.byte 1,1,0\n`
		alt14   = `.long f+1-.,r-.\n.long 7\n.byte 1,1\n`
		alt15   = `.long f+1-.,r-.\n.long 7\n.byte 1,1,1\n`
		bug6    = `.long f+1-.\n.word 1\n`
		bug12   = `.long f+1-.,file-.\n.word 7,1\n`
		bug16   = `.long f+1-.,format-.,file-.\n.word 7,1\n`
		bug24   = `.quad f+1,file\n.word 7,1\n.long 0\n`
		site    = `.balign 8\n.quad f+1\n.byte 1,2\n.short 1\n`
	)
	for _, c := range []struct {
		name, table string
		want        string // size and number of entries, or what is wrong
	}{
		{"jump label, absolute", section("__jump_table", jump24), "24 × 1"},
		{"jump labels, absolute", section("__jump_table", jump24, jump24, jump24), "24 × 3"},
		{"jump labels, relative", section("__jump_table", jump16, jump16), "16 × 2"},
		{"exception", section("__ex_table", ex8), "8 × 1"},
		{"exceptions", section("__ex_table", ex8, ex8g, ex8), "8 × 3"},
		{"exceptions, absolute", section("__ex_table", ex16abs, ex16abs), "16 × 2"},
		{"exceptions with handlers", section("__ex_table", ex12, ex12), "12 × 2"},
		{"exceptions with data", section("__ex_table", ex12new, ex12new), "12 × 2"},
		{"exceptions with room for a handler", section("__ex_table", ex16, ex16), "16 × 2"},
		{"alternatives up to 4.0", section(".altinstructions", alt12, alt12), "12 × 2"},
		{"alternatives up to 5.12", section(".altinstructions", alt13, alt13), "13 × 2"},
		{"alternative up to 5.12", section(".altinstructions", alt13), "13 × 1"},
		{"alternatives since 6.3", section(".altinstructions", alt14, alt14), "14 × 2"},
		{"alternatives of nobody", section(".altinstructions", alt15, alt15), `section ".altinstructions": where entries of 15 bytes have the length of their code is not known (but of [12 13 14] bytes)`},
		{"bugs without file names", section("__bug_table", bug6, bug6), "6 × 2"},
		{"bug", section("__bug_table", bug12), "12 × 1"},
		{"bugs", section("__bug_table", bug12, bug12), "12 × 2"},
		{"bugs with formats", section("__bug_table", bug16, bug16), "16 × 2"},
		{"bugs, absolute", section("__bug_table", bug24, bug24), "24 × 2"},
		{"paravirt", section(".parainstructions", site), "12 × 1"},
		{"paravirts", section(".parainstructions", site, site), "16 × 2"},
		{"two sizes at once", section("__ex_table", ex8, ex12new), `section "__ex_table": 20 bytes with 4 relocations are not a table of exception_table_entry`},
		{"no code", section("__ex_table", `.long data-.,f-.\n`), `section "__ex_table": 8 bytes with 2 relocations are not a table of exception_table_entry`},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := objtest.Unit(t, fmt.Sprintf(code, c.table), "-g0")
			tables, err := u.Tables()
			var bad *unit.TableError
			if err != nil {
				if !errors.As(err, &bad) || err.Error() != c.want {
					t.Errorf("got %v, want %s", err, c.want)
				}
				return
			}
			n, size := 0, uint64(0)
			for _, entries := range tables {
				for _, e := range entries {
					n, size = n+1, e.End-e.Start
				}
			}
			if got := fmt.Sprintf("%d × %d", size, n); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestTableCountedFromSymbol: recordmcount counts all places of a section from one function in it.
func TestTableCountedFromSymbol(t *testing.T) {
	u := objtest.Unit(t, `asm(".text\n.globl f,g\n.type f,@function\nf: nop; nop; ret\n.size f,3\n.type g,@function\ng: nop; ret\n.size g,2\n"
		".section __mcount_loc,\"a\"\n.quad f,f+3\n");`, "-g0")
	tables, err := u.Tables()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"f", "g"} {
		if got := tables[u.ItemOf(u.Obj.Symbol(name))]; len(got) != 1 || got[0].Refs[0].ToOffset != 0 {
			t.Errorf("%s: %d entries", name, len(got))
		}
	}
}
