package vmlinux

import "encoding/binary"

// jumpEntry is the size of a struct jump_entry of x86-64: the distances from its fields to the instruction and to the jump's
// target, 32 bits each, and that to the key, 64 bits, whose lowest two bits are flags.
//
// Source: include/linux/jump_label.h with CONFIG_HAVE_ARCH_JUMP_LABEL_RELATIVE, v5.10 to v7.2.
const jumpEntry = 16

// JumpLabels gives the address of the entry of __jump_table for the address of each instruction that the table lists. It is nil
// when the image does not say where the table is, for want of CONFIG_KALLSYMS_ALL, and must not be changed.
func (im *Image) JumpLabels() map[uint64]uint64 {
	im.readJumpTable.Do(func() {
		if t := im.table("__jump_table"); t.data != nil {
			im.jumpLabels = ParseJumpTable(t.addr, t.data)
		}
	})
	return im.jumpLabels
}

// ParseJumpTable is JumpLabels of a table at an address. What is behind the last whole entry is left out.
func ParseJumpTable(addr uint64, table []byte) map[uint64]uint64 {
	labels := make(map[uint64]uint64, len(table)/jumpEntry)
	for ; len(table) >= jumpEntry; addr, table = addr+jumpEntry, table[jumpEntry:] {
		labels[addr+uint64(int64(int32(binary.LittleEndian.Uint32(table))))] = addr
	}
	return labels
}
