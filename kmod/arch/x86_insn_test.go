package arch

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rare holds instructions that kernels have and compilers seldom make, beside the ordinary ones.
const rare = `
	endbr64
	call *%rax
	lock cmpxchg16b (%rdi)
	rep movsb
	movabs $0x1122334455667788, %r10
	movabs %al, 0x1122334455667788
	mov $0x12, %r11
	movw $0x1234, 8(%rsp)
	imul $0x1234, %cx, %dx
	testb $1, foo(%rip)
	testl $1, %gs:foo(%rip)
	testq $-1, (%rax,%rbx,8)
	notl (%rax)
	cmpb $0, foo+4(%rip)
	movl $7, foo(%rip)
	movq $foo, 0x100(%rax)
	enter $16, $1
	ret $8
	ud2
	clac
	stac
	swapgs
	rdpid %rax
	wrfsbase %rdx
	invpcid (%rax), %rbx
	xsaves (%rdi)
	xsavec64 (%rdi)
	crc32q %rax, %rbx
	pshufb %xmm1, %xmm2
	palignr $3, %xmm1, %xmm2
	vaddps %ymm1, %ymm2, %ymm3
	vpternlogd $0xff, %zmm1, %zmm2, %zmm3
	vpshufd $0x1b, 0x40(%rax), %ymm1
	vzeroupper
	andn %rax, %rbx, %rcx
	rorx $3, %rax, %rbx
	popcnt %rax, %rbx
	tzcnt %rax, %rbx
	sha256rnds2 %xmm0, %xmm1, %xmm2
	aesenc %xmm1, %xmm2
	pause
	nopw 0x0(%rax,%rax,1)
	nopw %cs:0x0(%rax,%rax,1)
	xchg %ax, %ax
	jmp foo
	jne foo
	jrcxz 1f
1:	loop 1b
	fxsave64 (%rax)
	mov %cr3, %rax
	mov %rax, %dr7
	lgdt (%rax)
	in $0x60, %al
	out %al, %dx
	sysretq
	iretq
	int3
	int $0x80
	cpuid
	wbinvd
	monitor
	mwait
	vmcall
	vmmcall
	encls
	shld $3, %rax, %rbx
	bt $5, %rax
	xadd %rax, (%rbx)
	bswap %r8
	movnti %rax, (%rbx)
	prefetcht0 (%rax)
	lfence
	movbe (%rax), %rbx
	adcx %rax, %rbx
	mulx %rax, %rbx, %rcx
	kmovq %k1, %rax
	vpgatherdd (%rax,%zmm2,4), %zmm1{%k1}
	vmovdqa64 %zmm16, 0x40(%rdi)
	{evex} vpaddd %xmm1, %xmm2, %xmm3
	wrussq %rax, (%rbx)
	incsspq %rax
	movdir64b (%rax), %rbx
	enqcmds (%rax), %rbx
	tdcall
	wrmsr
	rdtscp
	xgetbv
`

// TestInsnByObjdump holds the decoder against objdump on rare instructions and on what the compiler makes of a file.
func TestInsnByObjdump(t *testing.T) {
	dir := t.TempDir()
	asm, obj := filepath.Join(dir, "t.s"), filepath.Join(dir, "t.o")
	if err := os.WriteFile(asm, []byte(rare), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("as", "--64", "-o", obj, asm).CombinedOutput(); err != nil {
		t.Fatalf("as (Debian package binutils): %v\n%s", err, out)
	}
	if n := compareWithObjdump(t, obj); n < 87 {
		t.Errorf("only %d instructions compared", n)
	}
	if extra := os.Getenv("LIVESPLICE_OBJDUMP_FILES"); extra != "" {
		total := 0
		for _, f := range strings.Fields(extra) {
			total += compareWithObjdump(t, f)
		}
		t.Logf("%d instructions compared", total)
	}
}

func compareWithObjdump(t *testing.T, obj string) int {
	t.Helper()
	out, err := exec.Command("objdump", "-dw", "-j", ".text", obj).Output()
	if err != nil {
		t.Fatalf("objdump (Debian package binutils): %v", err)
	}
	n, bad := 0, 0
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		f := strings.SplitN(sc.Text(), "\t", 3)
		if len(f) < 3 || !strings.HasSuffix(f[0], ":") || strings.Contains(f[2], "(bad)") {
			continue
		}
		code, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(f[1]), " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		n++
		// Bytes behind the instruction must not matter: zeroes stand for whatever follows.
		i, ok := x86{}.Insn(append(code[:len(code):len(code)], make([]byte, 16)...))
		if !ok || i.Len != len(code) {
			if bad++; bad < 20 {
				t.Errorf("% x (%s): got %+v %v, objdump says %d bytes", code, f[2], i, ok, len(code))
			}
		}
		if isCall := len(code) >= 5 && strings.Contains(f[2], "call ") && code[len(code)-5] == 0xe8; ok && i.Call != isCall {
			t.Errorf("% x (%s): Call = %v", code, f[2], i.Call)
		}
		if isNop := strings.HasPrefix(f[2], "nop") || strings.Contains(f[2], " nopw") || f[2] == "xchg   %ax,%ax"; ok && i.Nop != isNop {
			t.Errorf("% x (%s): Nop = %v", code, f[2], i.Nop)
		}
	}
	return n
}

func TestInsnRefuses(t *testing.T) {
	for _, code := range [][]byte{nil, {0x06}, {0x0f}, {0x48}, {0xe8, 1, 2}, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90}} {
		if i, ok := (x86{}).Insn(code); ok {
			t.Errorf("% x: got %+v", code, i)
		}
	}
}

func TestField(t *testing.T) {
	for typ, want := range map[elf.R_X86_64]Field{
		elf.R_X86_64_NONE:  {},
		elf.R_X86_64_64:    {Size: 8},
		elf.R_X86_64_PC32:  {Size: 4, PCRel: true},
		elf.R_X86_64_PLT32: {Size: 4, PCRel: true},
		elf.R_X86_64_32S:   {Size: 4, Signed: true},
		elf.R_X86_64_32:    {Size: 4},
		elf.R_X86_64_PC64:  {Size: 8, PCRel: true},
	} {
		if got, err := (x86{}).Field(uint32(typ)); err != nil || got != want {
			t.Errorf("%v: got %+v, %v", typ, got, err)
		}
	}
	if _, err := (x86{}).Field(uint32(elf.R_X86_64_GOTPCREL)); err == nil || err.Error() != "relocation kind R_X86_64_GOTPCREL is not known" {
		t.Errorf("got %v", err)
	}
}

func FuzzInsn(f *testing.F) {
	f.Add([]byte{0x0f, 0x1f, 0x44, 0, 0})
	f.Add([]byte{0xc4, 0xe2, 0x71, 0x00, 0xc0})
	f.Fuzz(func(t *testing.T, code []byte) {
		i, ok := x86{}.Insn(code)
		if ok && (i.Len < 1 || i.Len > 15 || i.Len > len(code)) {
			t.Fatalf("% x: length %d", code, i.Len)
		}
		x86{}.Disassemble(code, 0)
	})
}
