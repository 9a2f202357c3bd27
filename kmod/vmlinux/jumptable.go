package vmlinux

import (
	"encoding/binary"
	"slices"
)

// jumpEntry is the size of a struct jump_entry of x86-64: the distances from its fields to the instruction and to the jump's
// target, 32 bits each, and that to the key, 64 bits, whose lowest two bits are flags.
//
// Source: include/linux/jump_label.h with CONFIG_HAVE_ARCH_JUMP_LABEL_RELATIVE, v5.10 to v7.2.
const jumpEntry = 16

// JumpTable is the kernel's or a module's __jump_table, by the address of the instruction that each entry is for.
type JumpTable struct {
	entries map[uint64]uint64
	code    []uint64 // ascending
}

// ParseJumpTable reads a table at an address. What is behind the last whole entry is left out.
func ParseJumpTable(addr uint64, table []byte) *JumpTable {
	t := &JumpTable{entries: make(map[uint64]uint64, len(table)/jumpEntry)}
	for ; len(table) >= jumpEntry; addr, table = addr+jumpEntry, table[jumpEntry:] {
		code := addr + uint64(int64(int32(binary.LittleEndian.Uint32(table))))
		t.entries[code] = addr
		t.code = append(t.code, code)
	}
	slices.Sort(t.code)
	return t
}

// Entry is the address of the entry for the instruction at an address.
func (t *JumpTable) Entry(code uint64) (addr uint64, ok bool) {
	addr, ok = t.entries[code]
	return addr, ok
}

// In are the addresses of the instructions in a range, ascending. They are the table's own.
func (t *JumpTable) In(addr, size uint64) []uint64 {
	first, _ := slices.BinarySearch(t.code, addr)
	behind, _ := slices.BinarySearch(t.code, addr+size)
	return t.code[first:behind]
}

// JumpTable is the image's table; nil when the image does not say where it is, for want of CONFIG_KALLSYMS_ALL.
func (im *Image) JumpTable() *JumpTable {
	im.readJumpTable.Do(func() {
		if t := im.table("__jump_table"); t.data != nil {
			im.jumpTable = ParseJumpTable(t.addr, t.data)
		}
	})
	return im.jumpTable
}
