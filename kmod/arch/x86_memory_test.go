package arch_test

import (
	"encoding/hex"
	"testing"

	"livesplice/kmod/arch"
)

// TestMemoryReadX86 has the bytes as GNU as makes them.
func TestMemoryReadX86(t *testing.T) {
	for _, c := range []struct {
		text, code string
		field      uint64
		want       bool
	}{
		{"movzbl 0x0(%rdi),%eax", "0fb68700000000", 3, true},
		{"movzbl 0x0(,%rdi,4),%eax", "0fb604bd00000000", 4, true},
		{"mov 0x0(%rip),%rax", "488b0500000000", 3, true},
		{"mov 0x0,%eax", "8b042500000000", 3, true},
		{"mov %gs:0x0(%rip),%eax", "658b0500000000", 3, true},
		{"cmp %al,0x0(%rdi)", "388700000000", 2, true},
		{"cmpl $0x1234,0x0(%rip)", "813d0000000034120000", 2, true},
		{"cmpl $0x0,0x8(%rip), the immediate", "813d0800000000000000", 6, false},
		{"cmpq $0x0,(%rdi)", "48813f00000000", 3, false},
		{"cmpq $0x0,0x8(%rdi)", "48817f0800000000", 4, false},
		{"cmpq $0x0,(%rax,%rdi)", "48813c3800000000", 4, false},
		{"testl $0x0,(%rax)", "f70000000000", 2, false},
		{"imul $0x0,(%rdi),%eax", "690700000000", 2, false},
		{"testb $1,0x0(%rip)", "f6050000000001", 2, true},
		{"negl 0x0(%rip)", "f71d00000000", 2, false},
		{"add 0x0(,%rax,4),%ecx", "030c8500000000", 3, true},
		{"add %ecx,0x0(,%rax,4)", "010c8500000000", 3, false},
		{"push 0x0(%rip)", "ff3500000000", 2, true},
		{"incl 0x0(%rip)", "ff0500000000", 2, false},
		{"lea 0x0(%rip),%rdi", "488d3d00000000", 3, false},
		{"lea 0x0(,%rax,8),%rdi", "488d3cc500000000", 4, false},
		{"mov $0x0,%rdi", "48c7c700000000", 3, false},
		{"movq $0x0,0x8(%rax)", "48c7400800000000", 4, false},
		{"movq $0x0,0x0(%rax), the displacement", "48c7800000000000000000", 3, false},
		{"mov %eax,0x0(%rip)", "890500000000", 2, false},
		{"mov $0x0,%edi", "bf00000000", 1, false},
		{"push $0x0", "6800000000", 1, false},
		{"cmp $0x0,%rax", "483d00000000", 2, false},
		{"add $0x0,%rdi", "4881c700000000", 3, false},
		{"prefetcht0 0x0(%rip)", "0f180d00000000", 3, false},
		{"cmove 0x0(%rip),%eax", "0f440500000000", 3, true},
		{"popcnt 0x0(%rip),%eax", "f30fb80500000000", 4, true},
		{"bts %eax,0x0(%rip)", "0fab0500000000", 3, false},
		{"vmovdqa 0x0(%rip),%ymm0", "c5fd6f0500000000", 4, true},
		{"vmovdqa %ymm0,0x0(%rip)", "c5fd7f0500000000", 4, false},
		{"nopl 0x0(%rip)", "0f1f0500000000", 3, false},
		{"call 0x0", "e800000000", 1, false},
		{"half an instruction", "0fb687", 3, false},
	} {
		code, err := hex.DecodeString(c.code)
		if err != nil {
			t.Fatal(err)
		}
		if got := arch.MemoryReadX86(code, c.field); got != c.want {
			t.Errorf("%s: %v, want %v", c.text, got, c.want)
		}
	}
}
