package arch

import (
	"debug/elf"
	"encoding/hex"
	"strings"
	"testing"

	"livesplice/kmod/elfobj"
)

// TestInsn holds the shapes of instructions that other machines have against what their assemblers make and objdump says
// of them: where a branch or a load leads, counted from the instruction's start.
func TestInsn(t *testing.T) {
	a64 := func(kind elf.R_AARCH64, disp int64) PCRel {
		return PCRel{Size: 4, Reloc: uint32(kind), Disp: disp}
	}
	ppc := func(kind elf.R_PPC64, disp int64) PCRel {
		return PCRel{Size: 4, Reloc: uint32(kind), Disp: disp}
	}
	s390 := func(kind elf.R_390, size int, disp int64) PCRel {
		return PCRel{At: 2, Size: size, Reloc: uint32(kind), Disp: disp}
	}
	la := func(kind elf.R_LARCH, disp int64) PCRel {
		return PCRel{Size: 4, Reloc: uint32(kind), Disp: disp}
	}
	x86rel := func(kind elf.R_X86_64, at, size int, disp int64) PCRel {
		return PCRel{At: at, Size: size, Reloc: uint32(kind), Disp: disp}
	}
	for _, c := range []struct {
		arch       Arch
		code, text string
		want       Insn
	}{
		{aarch64{}, "1f2003d5", "nop", Insn{Len: 4, Nop: true}},
		{aarch64{}, "04000014", "b .+16", Insn{Len: 4, Jump: true, Rel: a64(elf.R_AARCH64_JUMP26, 16)}},
		{aarch64{}, "feffff97", "bl .-8", Insn{Len: 4, Call: true, Rel: a64(elf.R_AARCH64_CALL26, -8)}},
		{aarch64{}, "00010054", "b.eq .+32", Insn{Len: 4, Jump: true, Rel: a64(elf.R_AARCH64_CONDBR19, 32)}},
		{aarch64{}, "e3ffffb5", "cbnz x3, .-4", Insn{Len: 4, Jump: true, Rel: a64(elf.R_AARCH64_CONDBR19, -4)}},
		{aarch64{}, "a1001836", "tbz w1, #3, .+20", Insn{Len: 4, Jump: true, Rel: a64(elf.R_AARCH64_TSTBR14, 20)}},
		{aarch64{}, "22000030", "adr x2, .+5", Insn{Len: 4, Rel: a64(elf.R_AARCH64_ADR_PREL_LO21, 5)}},
		{aarch64{}, "43000058", "ldr x3, .+8", Insn{Len: 4, Rel: a64(elf.R_AARCH64_LD_PREL_LO19, 8)}},
		{aarch64{}, "00000090", "adrp x0, .", Insn{Len: 4}},
		{aarch64{}, "c0035fd6", "ret", Insn{Len: 4}},
		{aarch64{}, "5f2403d5", "bti c", Insn{Len: 4}},
		{ppc64le{}, "00000060", "nop", Insn{Len: 4, Nop: true}},
		{ppc64le{}, "00004260", "ori 2,2,0", Insn{Len: 4, Nop: true}},
		{ppc64le{}, "0000ff63", "ori 31,31,0, a barrier", Insn{Len: 4}},
		{ppc64le{}, "10000048", "b .+16", Insn{Len: 4, Jump: true, Rel: ppc(elf.R_PPC64_REL24, 16)}},
		{ppc64le{}, "f9ffff4b", "bl .-8", Insn{Len: 4, Call: true, Rel: ppc(elf.R_PPC64_REL24, -8)}},
		{ppc64le{}, "20008241", "beq .+32", Insn{Len: 4, Jump: true, Rel: ppc(elf.R_PPC64_REL14, 32)}},
		{ppc64le{}, "fdff0042", "bdnzl .-4", Insn{Len: 4, Call: true, Rel: ppc(elf.R_PPC64_REL14, -4)}},
		{ppc64le{}, "02010048", "ba 0x100", Insn{Len: 4}},
		{ppc64le{}, "2000804e", "blr", Insn{Len: 4}},
		{ppc64le{}, "0000100624016038", "pla 3, .+0x124", Insn{Len: 8, Rel: PCRel{Size: 8, Reloc: ppcPCRel34, Disp: 0x124}}},
		{ppc64le{}, "0000000607006438", "paddi 3, 4, 7", Insn{Len: 8}},
		{s390x{}, "0700", "nopr", Insn{Len: 2, Nop: true}},
		{s390x{}, "47000000", "nop", Insn{Len: 4, Nop: true}},
		{s390x{}, "c00400000000", "jgnop .", Insn{Len: 6, Nop: true}},
		{s390x{}, "07fe", "br %r14", Insn{Len: 2}},
		{s390x{}, "a7f40008", "j .+16", Insn{Len: 4, Jump: true, Rel: s390(elf.R_390_PC16DBL, 2, 16)}},
		{s390x{}, "a774fffc", "jne .-8", Insn{Len: 4, Jump: true, Rel: s390(elf.R_390_PC16DBL, 2, -8)}},
		{s390x{}, "c0f400000010", "jg .+32", Insn{Len: 6, Jump: true, Rel: s390(elf.R_390_PC32DBL, 4, 32)}},
		{s390x{}, "a7150004", "bras %r1,.+8", Insn{Len: 4, Call: true, Rel: s390(elf.R_390_PC16DBL, 2, 8)}},
		{s390x{}, "c0e500000020", "brasl %r14,.+64", Insn{Len: 6, Call: true, Rel: s390(elf.R_390_PC32DBL, 4, 64)}},
		{s390x{}, "c010fffffffe", "larl %r1,.-4", Insn{Len: 6, Rel: s390(elf.R_390_PC32DBL, 4, -4)}},
		{s390x{}, "c42800000032", "lgrl %r2,.+100", Insn{Len: 6, Rel: s390(elf.R_390_PC32DBL, 4, 100)}},
		{s390x{}, "c60000000005", "exrl %r0,.+10", Insn{Len: 6, Rel: s390(elf.R_390_PC32DBL, 4, 10)}},
		{s390x{}, "a736fffd", "brct %r3,.-6", Insn{Len: 4, Jump: true, Rel: s390(elf.R_390_PC16DBL, 2, -6)}},
		{s390x{}, "85120006", "brxle %r1,%r2,.+12", Insn{Len: 4, Jump: true, Rel: s390(elf.R_390_PC16DBL, 2, 12)}},
		{s390x{}, "ec12000a8064", "cgrje %r1,%r2,.+20", Insn{Len: 6, Jump: true, Rel: s390(elf.R_390_PC16DBL, 2, 20)}},
		{s390x{}, "ec18000c057c", "cgije %r1,5,.+24", Insn{Len: 6, Jump: true, Rel: s390(elf.R_390_PC16DBL, 2, 24)}},
		{s390x{}, "b9040012", "lgr %r1,%r2", Insn{Len: 4}},
		{s390x{}, "e31020080004", "lg %r1,8(%r2)", Insn{Len: 6}},
		{loongarch64{}, "00004003", "nop", Insn{Len: 4, Nop: true}},
		{loongarch64{}, "00100050", "b .+16", Insn{Len: 4, Jump: true, Rel: la(elf.R_LARCH_B26, 16)}},
		{loongarch64{}, "fffbff57", "bl .-8", Insn{Len: 4, Call: true, Rel: la(elf.R_LARCH_B26, -8)}},
		{loongarch64{}, "80200040", "beqz $a0, .+32", Insn{Len: 4, Jump: true, Rel: la(elf.R_LARCH_B21, 32)}},
		{loongarch64{}, "9ffcff47", "bnez $a0, .-4", Insn{Len: 4, Jump: true, Rel: la(elf.R_LARCH_B21, -4)}},
		{loongarch64{}, "8514005c", "bne $a0, $a1, .+20", Insn{Len: 4, Jump: true, Rel: la(elf.R_LARCH_B16, 20)}},
		{loongarch64{}, "85f4ff6b", "bltu $a0, $a1, .-12", Insn{Len: 4, Jump: true, Rel: la(elf.R_LARCH_B16, -12)}},
		{loongarch64{}, "44000018", "pcaddi $a0, 2", Insn{Len: 4, Rel: la(elf.R_LARCH_PCREL20_S2, 8)}},
		{loongarch64{}, "0400001a", "pcalau12i $a0, 0", Insn{Len: 4}},
		{loongarch64{}, "2000004c", "ret", Insn{Len: 4}},
		{x86{}, "ebfe", "jmp .", Insn{Len: 2, PC: 2, Jump: true, Rel: x86rel(elf.R_X86_64_PC8, 1, 1, 0)}},
		{x86{}, "e80b000000", "call .+16", Insn{Len: 5, PC: 5, Call: true, Rel: x86rel(elf.R_X86_64_PC32, 1, 4, 16)}},
		{x86{}, "0f84faffffff", "je .", Insn{Len: 6, PC: 6, Jump: true, Rel: x86rel(elf.R_X86_64_PC32, 2, 4, 0)}},
		{x86{}, "488d05f9ffffff", "lea -7(%rip),%rax", Insn{Len: 7, PC: 7, Rel: x86rel(elf.R_X86_64_PC32, 3, 4, 0)}},
		{x86{}, "803d0000000001", "cmpb $1,0(%rip)", Insn{Len: 7, PC: 7, Rel: x86rel(elf.R_X86_64_PC32, 2, 4, 7)}},
	} {
		code, err := hex.DecodeString(c.code)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := c.arch.Insn(code)
		if !ok || got != c.want {
			t.Errorf("%s: %s: got %+v, %v, want %+v", c.arch.Machine(), c.text, got, ok, c.want)
		}
		if _, ok := c.arch.Insn(code[:len(code)-1]); ok {
			t.Errorf("%s: %s: read from %d bytes", c.arch.Machine(), c.text, len(code)-1)
		}
		if c.arch.Disassemble(code, 0x1000) == "" {
			t.Errorf("%s: %s: no text", c.arch.Machine(), c.text)
		}
	}
}

// TestFieldBits holds the bits of fields: those that relocations fill in are cleared, and the instruction's stay.
func TestFieldBits(t *testing.T) {
	for _, c := range []struct {
		arch       Arch
		kind       uint32
		code, want string // hexadecimal, of the field
	}{
		{aarch64{}, uint32(elf.R_AARCH64_CALL26), "feffff97", "00000094"},
		{aarch64{}, uint32(elf.R_AARCH64_CONDBR19), "e3ffffb5", "030000b5"},
		{aarch64{}, uint32(elf.R_AARCH64_TSTBR14), "a1001836", "01001836"},
		{aarch64{}, uint32(elf.R_AARCH64_ADR_PREL_PG_HI21), "22000030", "02000010"},
		{aarch64{}, uint32(elf.R_AARCH64_ADD_ABS_LO12_NC), "21fc3f91", "21000091"},
		{aarch64{}, uint32(elf.R_AARCH64_MOVW_UABS_G0), "e0ff9fd2", "000080d2"},
		{ppc64le{}, uint32(elf.R_PPC64_REL24), "f9ffff4b", "01000048"},
		{ppc64le{}, uint32(elf.R_PPC64_REL14), "fdff0042", "01000042"},
		{ppc64le{}, uint32(elf.R_PPC64_TOC16_LO_DS), "ffff", "0300"},
		{ppc64le{}, ppcPCRel34, "ffff1306ffff6038", "0000100600006038"},
		{s390x{}, uint32(elf.R_390_PC32DBL), "fffffffe", "00000000"},
		{s390x{}, uint32(elf.R_390_20), "1fffff04", "10000004"},
		{x86{}, uint32(elf.R_X86_64_PC32), "01020304", "00000000"},
		{loongarch64{}, uint32(elf.R_LARCH_B26), "fffbff57", "00000054"},
		{loongarch64{}, uint32(elf.R_LARCH_B21), "9ffcff47", "80000044"},
		{loongarch64{}, uint32(elf.R_LARCH_B16), "85f4ff6b", "85000068"},
		{loongarch64{}, uint32(elf.R_LARCH_PCALA_HI20), "e4ffff1b", "0400001a"},
		{loongarch64{}, uint32(elf.R_LARCH_PCALA_LO12), "84fcff02", "8400c002"},
		{loongarch64{}, uint32(elf.R_LARCH_CALL36), "e1ffff1f21fcff4f", "0100001e2100004c"},
	} {
		f, err := c.arch.Field(c.kind)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := hex.DecodeString(c.code)
		o := elfobj.Object{BigEndian: c.arch == Arch(s390x{})}
		if f.Size != len(b) {
			t.Fatalf("%s: kind %d: %d bytes, want %d", c.arch.Machine(), c.kind, f.Size, len(b))
		}
		f.Clear(o.Order(), b)
		if got := hex.EncodeToString(b); got != c.want {
			t.Errorf("%s: kind %d: %s cleared is %s, want %s", c.arch.Machine(), c.kind, c.code, got, c.want)
		}
	}
	for _, a := range []Arch{x86{}, aarch64{}, ppc64le{}, s390x{}, loongarch64{}} {
		if _, err := a.Field(99999); err == nil || !strings.Contains(err.Error(), "is not known") {
			t.Errorf("%s: an unknown kind gives %v", a.Machine(), err)
		}
	}
}
