package match_test

import (
	"fmt"
	"strings"
	"testing"
)

// assembly is a unit with functions in assembly, by name; the text of each can have F for its name, and begins in the line
// of its label.
func assembly(names, bodies []string) string {
	var b strings.Builder
	b.WriteString(`asm(".section .text,\"ax\"\n`)
	for i, name := range names {
		body := strings.NewReplacer("F", name, `"`, `\"`, "; ", `\n`).Replace(bodies[i])
		fmt.Fprintf(&b, `.globl %s\n.type %[1]s,@function\n%[1]s: %s\n`, name, body)
	}
	return b.String() + `.text\n");` + "\n"
}

// TestInstructions matches functions in assembly with others: what may differ, and what may not.
func TestInstructions(t *testing.T) {
	const (
		// A table of jump labels with one entry, for the place 1 in the function, and one for a place behind it.
		label  = `; .pushsection __jump_table,"aw"; .balign 8; .long 1b-., 9b-.; .quad key-.; .popsection`
		beyond = `; .pushsection __jump_table,"aw"; .balign 8; .long F+100-., F-.; .quad key-.; .popsection`
	)
	cases := []struct{ name, pre, run, data, want string }{
		{"the same", "call source; ret", "call source; ret", "", "F strict by name"},
		{"other padding", "test %edi,%edi; nop; je 2f; call source; 2: ret", "test %edi,%edi; je 2f; nopl (%rax); call source; nop; 2: ret", "", "F instruction by name"},
		{"a long jump for a short one", "2: dec %edi; je 2b; ret", "2: dec %edi; .byte 0x0f,0x84; .long 2b-.-4; ret", "", "F instruction by name"},
		{"a jump to padding in front of the same instruction", "je 2f; inc %eax; nop; 2: ret", "je 2f; inc %eax; 2: nop; ret", "", "F instruction by name"},
		{"another condition", "je 2f; nop; inc %eax; 2: ret", "jne 2f; inc %eax; 2: ret", "", "F none: different code"},
		{"another condition, both long", "call source; .byte 0x0f,0x84; .long 1; nop; ret", "call source; .byte 0x0f,0x85; .long 1; nop; ret", "", "F none: different code"},
		{"a jump to another instruction", "je 2f; nop; inc %eax; 2: inc %ecx; ret", "je 2f; inc %eax; inc %ecx; 2: ret", "", "F none: different code"},
		{"a jump behind the function", "je 2f; nop; inc %eax; 2: ret", "je 2f+100; inc %eax; 2: ret", "", "F none: different code"},
		{"a jump in front of the function", "je 2f; nop; inc %eax; 2: ret", "je 2f-100; inc %eax; 2: ret", "", "F none: different code"},
		{"a jump of which there is one form, elsewhere", "nop; jrcxz 2f; inc %eax; 2: ret", "jrcxz 2f+2; inc %eax; 2: ret", "", "F none: different code"},
		{"another opcode in front of a reference", "nop; lea source(%rip),%rax; ret", "mov source(%rip),%rax; ret", "", "F none: different code"},
		{"another number behind a reference", "nop; movl $5,source(%rip); ret", "movl $6,source(%rip); ret", "", "F none: different code"},
		{"a reference in a nop", "nopl source(%rip); call source; ret", "nopl printk(%rip); call source; ret", "", "F none: refers to ADDR, which is not source"},
		{"a call of itself", "3: nop; test %edi,%edi; call 3b; ret", "3: test %edi,%edi; call 3b; ret", "", "F instruction by name"},
		{"a jump label as a nop, and other padding", "nop; inc %eax; 1: jmp 9f; inc %eax; 9: ret", "inc %eax; 1: .byte 0x66,0x90; inc %eax; 9: ret", label, "F instruction by name patched 1"},
		{"a jump label as a longer nop over what follows", "1: jmp 9f; add %r8b,(%rax); 9: ret", "1: .byte 0x0f,0x1f,0x44,0,0; 9: ret", label, "F none: different code"},
		{"a jump label that is no jump", "1: inc %eax; 9: ret", "1: .byte 0x66,0x90; 9: ret", label, "F none: different code"},
		{"a jump label that is a nop of another length", "1: .byte 0x66,0x90; inc %eax; 9: ret", "1: .byte 0x0f,0x1f,0; inc %eax; 9: ret", label, "F none: different code"},
		{"a jump label behind the end", "inc %eax; ret", "inc %eax; ret", beyond, "F strict by name"},
		{"no call of __fentry__, but its address", ".quad __fentry__; inc %eax; ret", ".quad __fentry__; inc %ecx; ret", "", "F none: different code"},
		{"data that leads to itself", "mov $3f,%rdi; ret", "mov $3f,%rdi; ret", `; .pushsection .rodata.F,"a"; 3: .quad 3b, 5; .popsection`, "F strict by name"},
	}
	var names, pre, run []string
	for i, c := range cases {
		name := fmt.Sprintf("f%02d", i)
		end := "; .size F,.-F" + c.data
		names, pre, run = append(names, name), append(pre, c.pre+end), append(run, c.run+end+"; .skip 64,0xcc")
	}
	im := link(t, [2]string{"k.c", "struct static_key key;"}, [2]string{"a.c", assembly(names, run)})
	r, _ := matched(t, im, "a.c", assembly(names, pre))
	got := strings.Split(hideAddresses(proofs(im, "a.c", r)), "\n")
	for i, c := range cases {
		if want := strings.ReplaceAll(c.want, "F", names[i]); got[i] != want {
			t.Errorf("%s: got %q, want %q", c.name, got[i], want)
		}
	}
}

// TestEndOfBinary matches functions that are longer than what the binary has left.
func TestEndOfBinary(t *testing.T) {
	names := []string{"a", "b"}
	whole := []string{"nop; call source; lea source(%rip),%rax; .size F,.-F; .skip 64,0xcc", "nop; call source; lea source(%rip),%rax; .size F,.-F"}
	for _, c := range []struct{ name, run, want string }{
		{"a shorter instruction", "call source; ret; .size F,.-F", "b none: different code"},
		{"a part of it", "call source; .size F,.-F", "b none: an instruction that is not known"},
		{"a part of an instruction", "call source; .byte 0x48,0x8d,5; .size F,.-F", "b none: an instruction that is not known"},
	} {
		im := link(t, [2]string{"a.c", assembly(names, []string{whole[0], c.run})})
		r, _ := matched(t, im, "a.c", assembly(names, whole))
		if got, want := proofs(im, "a.c", r), "a strict by name\n"+c.want+"\n"; got != want {
			t.Errorf("%s: got %s, want %s", c.name, got, want)
		}
	}
}
