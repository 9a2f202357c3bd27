package diff

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

// TestLoadRuntimeConstant holds the instruction that loads a runtime constant against the assembler's, for each
// register.
func TestLoadRuntimeConstant(t *testing.T) {
	regs := strings.Fields("rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15")
	var before, after strings.Builder
	for _, r := range regs {
		fmt.Fprintf(&before, "movabs $0x0123456789abcdef,%%%s\\n1:\\n.pushsection runtime_ptr_x,\\\"a\\\"\\n.long 1b-8-.\\n.popsection\\n", r)
		fmt.Fprintf(&after, "mov x(%%rip),%%%s\\nnopl (%%rax)\\n", r)
	}
	function := func(body string) string {
		return "asm(\".section .text.f,\\\"ax\\\"\\n.type f,@function\\nf:\\n" + body + "ret\\n.size f,.-f\\n\");"
	}
	u := objtest.Unit(t, function(before.String()), "-g0")
	tables, err := u.Tables()
	if err != nil {
		t.Fatal(err)
	}
	f := u.ItemOf(u.Obj.Symbol("f"))
	entries := tables[f]
	if len(entries) != len(regs) {
		t.Fatalf("%d entries", len(entries))
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if err := loadRuntimeConstant(u.Obj, f, entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	want := objtest.Unit(t, function(after.String()), "-g0")
	g := want.ItemOf(want.Obj.Symbol("f"))
	if !bytes.Equal(f.Bytes(), g.Bytes()) {
		t.Errorf("got  % x\nwant % x", f.Bytes(), g.Bytes())
	}
	if got, want := places(f.Section), places(g.Section); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if s := entries[0].Section; s.Size() != 0 || len(s.Rela.Relocs) != 0 {
		t.Errorf("%d bytes and %d relocations are left of %s", s.Size(), len(s.Rela.Relocs), s.Name)
	}
}

// TestRuntimeConstantRefused gives entries that name no MOV of the placeholder.
func TestRuntimeConstantRefused(t *testing.T) {
	for _, c := range []struct{ name, code, want string }{
		{"another number", "movabs $0x1123456789abcdef,%rax\\n1:", "entry of runtime_ptr_x: 48 b8 ef cd ab 89 67 45 23 11 at 0x0 is not a MOV of the placeholder"},
		{"another instruction", "movabs %al,0x0123456789abcdef\\n1:", "entry of runtime_ptr_x: fb a2 ef cd ab 89 67 45 23 01 at 0x0 is not a MOV of the placeholder"},
		{"outside", "nop\\nnop\\n1: nop\\nnop\\nnop\\nnop\\nnop\\nnop\\nnop", "entry of runtime_ptr_x: not an instruction of the function"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pad := ""
			if strings.HasPrefix(c.want, "entry of runtime_ptr_x: fb") {
				pad = "sti\\n"
			}
			u := objtest.Unit(t, "asm(\".section .text.f,\\\"ax\\\"\\n.type f,@function\\nf:\\n"+pad+c.code+"\\n.pushsection runtime_ptr_x,\\\"a\\\"\\n.long 1b-8-.\\n.popsection\\nret\\n.size f,.-f\\n\");", "-g0")
			f := u.ItemOf(u.Obj.Symbol("f"))
			tables, err := u.Tables()
			if err != nil {
				t.Fatal(err)
			}
			e := unit.Entry{}
			for _, entries := range tables {
				e = entries[0]
			}
			if err := loadRuntimeConstant(u.Obj, f, e); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func places(s *elfobj.Section) string {
	var b strings.Builder
	for _, r := range s.Rela.Relocs {
		fmt.Fprintf(&b, "%#x %d %s%+d ", r.Offset, r.Type, r.Sym.Name, r.Addend)
	}
	return b.String()
}
