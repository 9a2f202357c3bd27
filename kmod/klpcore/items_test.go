package klpcore

import (
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// TestBehind holds where an instruction ends, counted from a relative field in it, against what a decoder says.
func TestBehind(t *testing.T) {
	const field = "\x00\x00\x00\x00"
	for _, c := range []struct {
		name, before, after string
	}{
		{"call", "\xe8", ""},
		{"jmp", "\xe9", ""},
		{"jne", "\x0f\x85", ""},
		{"jge", "\x0f\x8d", ""},
		{"lea sym(%rip),%rax", "\x48\x8d\x05", ""},
		{"mov sym(%rip),%eax", "\x8b\x05", ""},
		{"mov %ecx,sym(%rip)", "\x89\x0d", ""},
		{"movb $1,sym(%rip)", "\xc6\x05", "\x01"},
		{"movl $1,sym(%rip)", "\xc7\x05", "\x01\x00\x00\x00"},
		{"movq $1,sym(%rip)", "\x48\xc7\x05", "\x01\x00\x00\x00"},
		{"movw $1,sym(%rip)", "\x66\xc7\x05", "\x01\x00"},
		{"cmpb $1,sym(%rip)", "\x80\x3d", "\x01"},
		{"cmpl $1,sym(%rip)", "\x83\x3d", "\x01"},
		{"cmpl $0x100,sym(%rip)", "\x81\x3d", "\x00\x01\x00\x00"},
		{"cmpw $0x100,sym(%rip)", "\x66\x81\x3d", "\x00\x01"},
		{"testb $1,sym(%rip)", "\xf6\x05", "\x01"},
		{"testl $1,sym(%rip)", "\xf7\x05", "\x01\x00\x00\x00"},
		{"notl sym(%rip)", "\xf7\x15", ""},
		{"shll $3,sym(%rip)", "\xc1\x25", "\x03"},
		{"imul $100,sym(%rip),%eax", "\x6b\x05", "\x64"},
		{"imul $1000,sym(%rip),%eax", "\x69\x05", "\xe8\x03\x00\x00"},
		{"btl $3,sym(%rip)", "\x0f\xba\x25", "\x03"},
		{"movzbl sym(%rip),%eax", "\x0f\xb6\x05", ""},
		{"lock incl sym(%rip)", "\xf0\xff\x05", ""},
		{"call *sym(%rip)", "\xff\x15", ""},
	} {
		code := append([]byte("\x90\x90\x90"), (c.before + field + c.after)...)
		off := uint64(3 + len(c.before))
		insn, err := x86asm.Decode(code[3:], 64)
		if err != nil || insn.Len != len(code)-3 {
			t.Fatalf("%s: %d bytes, %v", c.name, insn.Len, err)
		}
		if got, want := behind(code, off, 4), uint64(len(code))-off; got != want {
			t.Errorf("%s: %d, want %d", c.name, got, want)
		}
	}
}
