package arch

import "testing"

// FuzzMachines decodes code and relocation kinds of every machine.
func FuzzMachines(f *testing.F) {
	f.Add(uint8(0), []byte{0x0f, 0x1f, 0x44, 0, 0}, uint32(2), "__jump_table")
	f.Add(uint8(1), []byte{0x1f, 0x20, 0x03, 0xd5}, uint32(283), "$x.1")
	f.Add(uint8(2), []byte{0, 0, 0, 0x60}, uint32(10), "__ftr_alt_1.2")
	f.Add(uint8(3), []byte{0xc0, 0xe5, 0, 0, 0, 0}, uint32(19), ".s390_indirect_jump")
	f.Add(uint8(4), []byte{0, 0, 0, 0x54}, uint32(66), "__bug_table")
	f.Fuzz(func(t *testing.T, which uint8, code []byte, kind uint32, name string) {
		a := []Arch{x86{}, aarch64{}, ppc64le{}, s390x{}, loongarch64{}}[which%5]
		if i, ok := a.Insn(code); ok && (i.Len < 1 || i.Len > len(code) || i.Jump && i.Call) {
			t.Fatalf("%T: % x: %+v", a, code, i)
		}
		a.Disassemble(code, 1<<63)
		if f, err := a.Field(kind); err == nil && (f.Size < 0 || f.Size > 8) {
			t.Fatalf("%T: relocation kind %d: %+v", a, kind, f)
		}
		a.Table(name)
		a.Mapping(name)
	})
}
