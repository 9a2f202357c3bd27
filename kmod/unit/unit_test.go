package unit_test

import (
	"debug/elf"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
	"livesplice/kmod/unit/objtest"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"f": "f", "f.cold": "f.cold", "f.isra.0": "f.isra", "f.part.3": "f.part", "f.constprop.0.isra.0": "f.constprop.isra",
		"f.isra.0.cold": "f.isra.cold", "f.isra.0.cold.3": "f.isra.cold", ".cold": ".cold", "count.12": "count", "f.llvm.123456": "f.llvm", "__UNIQUE_ID_x123": "__UNIQUE_ID_x",
		"__UNIQUE_ID_ddebug251.7": "__UNIQUE_ID_ddebug", "__UNIQUE_ID_ddebug_251.7": "__UNIQUE_ID_ddebug", "__UNIQUE_ID_x_123": "__UNIQUE_ID_x",
		"__initcall__kmod_x__123_45_fn6": "__initcall__kmod_x__fn6", "__initcall__kmod_8250__1_2__123_45_fn6s": "__initcall__kmod_8250__1_2__fn6s",
		"__initcall__kmod_x__123_45___fn_1_2_early": "__initcall__kmod_x____fn_1_2_early", "__initstub__kmod_x__1_2_fn7": "__initstub__kmod_x__fn7",
		"__initcall_fn6": "__initcall_fn6", "__initcall__kmod_x__fn6": "__initcall__kmod_x__fn6", "__initcall__kmod_": "__initcall__kmod_",
		"__func__.0": "__func__", "crc32": "crc32", "v4l2": "v4l2",
	} {
		if got := unit.BaseName(name); got != want {
			t.Errorf("BaseName(%q) = %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"f.cold": "f", "f.part.0.cold": "f.part.0", "f.cold.3": "f", "cold": "", ".cold": "", ".cold.3": "", "f.colder": ""} {
		if got, ok := unit.ColdParent(name); got != want || ok != (want != "") {
			t.Errorf("ColdParent(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
}

// describe lists the items of a unit with their references.
func describe(t *testing.T, u *unit.Unit) string {
	t.Helper()
	var b strings.Builder
	for _, it := range u.Items {
		if it.Section.Name == "__mcount_loc" {
			continue
		}
		fmt.Fprintf(&b, "%s %s in %s, %d bytes", it.Kind, it.Name, it.Section.Name, it.Size())
		for _, y := range it.Syms[min(1, len(it.Syms)):] {
			fmt.Fprintf(&b, ", also %s", y.Name)
		}
		if it.Parent != nil {
			fmt.Fprintf(&b, ", part of %s", it.Parent.Name)
		}
		b.WriteByte('\n')
		refs, err := u.Refs(it)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range refs {
			to := "?"
			switch {
			case r.To != nil:
				to = r.To.Name
			case r.External != nil:
				to = "external " + r.External.Name
			case r.Table != nil:
				to = "table " + r.Table.Name
			}
			if to == "external __fentry__" {
				continue
			}
			fmt.Fprintf(&b, "  %#x %s%+d bias %d", r.Offset, to, r.ToOffset, r.Bias)
			if r.Direct {
				b.WriteString(" direct")
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func TestItems(t *testing.T) {
	for _, c := range []struct{ name, code, want string }{
		{"aliases, data and end pointers", `
#include "kernel.h"
noinline noclone notrace int f(int n) { return n; }
extern int alias(int) __attribute__((__alias__("f")));
static long section(".data..read_mostly") a[2] = { 1, 2 }, b = 3;
notrace void g(void) { a[0]++; b++; sink(a + 2); sink(alias); }
`, `function f in .text.f, 3 bytes, also alias
function g in .text.g, 48 bytes
  0x7 a+0 bias 5
  0xf a+16 bias 0
  0x16 b+0 bias 5
  0x1c external sink+0 bias 4 direct
  0x23 f+0 bias 0
  0x2c external sink+0 bias 4 direct
datum b in .data..read_mostly, 8 bytes
datum a in .data..read_mostly, 16 bytes
`},
		{"immediates behind the field, prefixes", `
asm(".pushsection .data.x,\"aw\"\n.type x,@object\nx: .quad 0\n.size x,8\n.popsection\n"
    ".pushsection .text.f,\"ax\"\n.type f,@function\nf: cmpb $1,x(%rip)\n movl $2,x+4(%rip)\n movw $3,x+2(%rip)\n movq $x,x(%rip)\n"
    "lock; incl x+1(%rip)\n lea x+7(%rip),%rax\n movabs $x+3,%rcx\n jmp x\n.size f,.-f\n.popsection");
`, `datum x in .data.x, 8 bytes
function f in .text.f, 66 bytes
  0x2 x+0 bias 5
  0x9 x+4 bias 8
  0x14 x+2 bias 6
  0x1d x+0 bias 8
  0x21 x+0 bias 0
  0x28 x+1 bias 4
  0x2f x+7 bias 4
  0x35 x+3 bias 0
  0x3e x+0 bias 4 direct
`},
		{"padding is nothing, code without a size is something", `
asm(".section .sched.text,\"ax\"\n.type f,@function\nf: ret\n.size f,1\n.balign 16\n.type g,@function\ng: ret\n.size g,1\n int3\n nop\n"
    ".globl loose\nloose: mov $5,%eax\n ret\n.type h,@function\nh: call loose\n.size h,.-h\n.text");
`, `function f in .sched.text, 1 bytes
function g in .sched.text, 1 bytes
anonymous data .sched.text+0x11 in .sched.text, 8 bytes
function h in .sched.text, 5 bytes
  0x1 .sched.text+0x11+2 bias 4 direct
`},
		{"literals, constants and what is between symbols", `
asm(".section .rodata.str1.1,\"aMS\",@progbits,1\n1: .string \"ab\"\n2: .string \"\"\n3: .string \"c\"\n"
    ".section .rodata.cst8,\"aM\",@progbits,8\n4: .quad 7, 8\n"
    ".section .rodata,\"a\"\n5: .long 1, 2\n.type x,@object\nx: .long 3\n.size x,4\n.balign 8\n6: .long 9\n"
    ".section .data.p,\"aw\"\n.quad 1b, 2b, 3b+1, 4b+8, 5b+4, x, 6b\n.text");
`, `literal .rodata.str1.1+0x0 in .rodata.str1.1, 3 bytes
literal .rodata.str1.1+0x3 in .rodata.str1.1, 1 bytes
literal .rodata.str1.1+0x4 in .rodata.str1.1, 2 bytes
literal .rodata.cst8+0x0 in .rodata.cst8, 8 bytes
literal .rodata.cst8+0x8 in .rodata.cst8, 8 bytes
anonymous data .rodata+0x0 in .rodata, 8 bytes
datum x in .rodata, 4 bytes
anonymous data .rodata+0xc in .rodata, 8 bytes
anonymous data .data.p+0x0 in .data.p, 56 bytes
  0x0 .rodata.str1.1+0x0+0 bias 0
  0x8 .rodata.str1.1+0x3+0 bias 0
  0x10 .rodata.str1.1+0x4+1 bias 0
  0x18 .rodata.cst8+0x0+8 bias 0
  0x20 .rodata+0x0+4 bias 0
  0x28 x+0 bias 0
  0x30 .rodata+0xc+4 bias 0
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := describe(t, objtest.Unit(t, c.code, "-g0")); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// TestTables reads the entries of objects whose tables are written by hand, and names what is wrong with bad ones.
func TestTables(t *testing.T) {
	const f = `asm(".section .text.f,\"ax\"\n.type f,@function\nf: nop; nop; ret\n.size f,3\n.section .text.g,\"ax\"\n.type g,@function\ng: ret\n.size g,1\n");`
	for _, c := range []struct{ name, table, want string }{
		{"entries by owner", `asm(".section __ex_table,\"a\"\n.long f-.,f+2-.,1\n.long g-.,f-.,1\n.long f+1-.,f+2-.,1\n");`,
			"f 0-12 f+0 f+2, f 24-36 f+1 f+2, g 12-24 g+0 f+0"},
		{"one entry", `asm(".section __bug_table,\"aw\"\n.long f+1-.\n.long g-.\n.word 7,1\n");`, "f 0-12 f+1 g+0"},
		{"sorted by section", `asm(".section __jump_table,\"aw\"\n.long f-.,g-.\n.quad key-.\n.section .smp_locks,\"a\"\n.long f-.\n");`,
			"f 0-4 f+0, f 0-16 f+0 g+0 key+0"},
		{"replacement code", `asm(".section .altinstr_replacement,\"ax\"\n1: nop\n2: call other\n3:\n.section .altinstructions,\"a\"\n.long f-.,2b-.\n.word 1\n.byte 1,3b-2b\n");`,
			"f 0-12 f+0 .altinstr_replacement+1 (other+0)"},
		{"size that is not known", `asm(".section __ex_table,\"a\"\n.long f-.,f+2-.,g-.\n.long 1\n");`,
			`section "__ex_table": 16 bytes with 3 relocations are not a table of exception_table_entry`},
		{"irregular", `asm(".section __bug_table,\"aw\"\n.long f-.\n.long g-.\n.word 7,1\n.long f-.,0\n.word 1,1\n");`,
			`section "__bug_table": 24 bytes with 3 relocations are not a table of bug_entry`},
		{"no relocation at the start", `asm(".section __bug_table,\"aw\"\n.long 0\n.long g-.\n.word 7,1\n");`,
			`section "__bug_table": no relocation at its start: not a table of code addresses`},
		{"belongs to nothing", `asm(".section __ex_table,\"a\"\n.long .altinstr_replacement-.,f-.,1\n.section .altinstr_replacement,\"ax\"\nnop\n");`,
			`section "__ex_table": entry 0: belongs to nothing`},
		{"replacement outside its section", `asm(".section .altinstr_replacement,\"ax\"\n1: nop\n.section .altinstructions,\"a\"\n.long f-.,1b-.\n.word 1\n.byte 1,2\n");`,
			`section ".altinstructions": entry 0: replacement code of 2 bytes at 0x0 lies outside its section`},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := objtest.Unit(t, f+c.table, "-g0")
			tables, err := u.Tables()
			if err != nil {
				if err.Error() != c.want {
					t.Errorf("got %v, want %s", err, c.want)
				}
				return
			}
			var got []string
			for _, it := range u.Items {
				for _, e := range tables[it] {
					text := fmt.Sprintf("%s %d-%d", it.Name, e.Start, e.End)
					for _, r := range e.Refs {
						text += " " + place(r)
					}
					for _, r := range e.Replacement.Refs {
						text += " (" + place(r) + ")"
					}
					got = append(got, text)
				}
			}
			if all := strings.Join(got, ", "); all != c.want {
				t.Errorf("got %s, want %s", all, c.want)
			}
		})
	}
}

func place(r unit.Ref) string {
	switch {
	case r.To != nil:
		return fmt.Sprintf("%s+%d", r.To.Name, r.ToOffset)
	case r.Table != nil:
		return fmt.Sprintf("%s+%d", r.Table.Name, r.ToOffset)
	}
	return fmt.Sprintf("%s+%d", r.External.Name, r.ToOffset)
}

func TestBadObjects(t *testing.T) {
	for _, c := range []struct{ name, code, want string }{
		{"overlapping functions", `asm(".section .text.f,\"ax\"\n.type f,@function\n.type g,@function\nf: nop\ng: nop; nop\n.size f,2\n.size g,2\n");`,
			`section ".text.f": "g" at 0x1 overlaps "f", which ends at 0x2`},
		{"function beyond its section", `asm(".section .text.f,\"ax\"\n.type f,@function\nf: nop\n.size f,9\n");`,
			`section ".text.f": "f" [0x0, +0x9) lies outside the section of 0x1 bytes`},
		{"code that is none", `asm(".section .text.f,\"ax\"\n.type f,@function\nf: .byte 0x06\n call x\n.size f,.-f\n");`,
			`function "f": offset 0x0: no known instruction in 06 e8 00 00 00 00`},
		{"field across the end", `asm(".section .text.f,\"ax\"\n.type f,@function\nf: call x\n.size f,3\n");`,
			`function "f": offset 0x1: relocated field of 4 bytes crosses the end`},
		{"relocation that is not known", `asm(".section .text.f,\"ax\"\n.type f,@function\nf: mov x@tpoff,%eax\n.size f,.-f\n");`,
			`function "f": offset 0x3: relocation kind R_X86_64_TPOFF32 is not known`},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := unit.New(objtest.Text(t, c.code, "-g0"))
			if err == nil {
				_, err = u.Refs(u.Items[0])
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	for _, c := range []struct {
		obj  elfobj.Object
		want string
	}{
		{elfobj.Object{Machine: elf.EM_RISCV}, "objects of EM_RISCV are not supported, only of EM_X86_64, EM_AARCH64, EM_PPC64, EM_S390 and EM_LOONGARCH"},
		{elfobj.Object{Machine: elf.EM_S390}, "objects of EM_S390 in this byte order are not supported"},
		{elfobj.Object{Machine: elf.EM_PPC64, BigEndian: true}, "objects of EM_PPC64 in this byte order are not supported"},
	} {
		if _, err := unit.New(&c.obj); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// TestSource gives the line of functions, their parts and data by the object's DWARF.
func TestSource(t *testing.T) {
	obj := objtest.Object(t, filepath.Join(objtest.Folder(t), "cold-part", "post.c"), "-g")
	u, err := unit.New(obj)
	if err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string]int{"f": 5, "f.cold": 5, "g": 6} {
		it := u.ItemOf(obj.Symbol(name))
		if want := fmt.Sprintf("/post.c:%d", line); it == nil || !strings.HasSuffix(u.Source(it), want) {
			t.Errorf("%s: got %q, want %q", name, u.Source(it), want)
		}
	}
	u = objtest.Unit(t, "int f(void) { return 1; }", "-g0")
	if got := u.Source(u.Items[0]); got != "" {
		t.Errorf("without DWARF: got %q", got)
	}
}
