package vmlinux

import (
	"encoding/binary"
	"errors"
)

// Addressing is how a kallsyms table holds the addresses of its symbols.
type Addressing int

const (
	// AbsoluteAddresses is kallsyms_addresses: 64 bits each (up to 6.1, without CONFIG_KALLSYMS_BASE_RELATIVE).
	AbsoluteAddresses Addressing = iota + 1
	// BaseRelative is kallsyms_offsets: unsigned 32 bits to add to kallsyms_relative_base (up to the layout of 7.2).
	BaseRelative
	// BaseRelativePerCPU is CONFIG_KALLSYMS_ABSOLUTE_PERCPU: signed 32 bits, an absolute per-CPU offset when positive
	// or zero, else -1 - offset to add to kallsyms_relative_base (x86_64 with SMP, while per-CPU addresses begin at 0).
	BaseRelativePerCPU
	// PlaceRelative is kallsyms_offsets of 7.2: signed 32 bits to add to the address of the entry itself.
	PlaceRelative
)

func (a Addressing) String() string {
	switch a {
	case AbsoluteAddresses:
		return "64-bit addresses"
	case BaseRelative:
		return "base-relative"
	case BaseRelativePerCPU:
		return "base-relative, per-CPU absolute"
	case PlaceRelative:
		return "place-relative"
	}
	return "unknown addressing"
}

// addressTable is kallsyms_addresses, or kallsyms_offsets with kallsyms_relative_base. It comes first, before
// kallsyms_num_syms (5.10, 6.1), or behind the token index (6.12, 7.2).
// Source: scripts/kallsyms.c, write_src, and kernel/kallsyms.c, kallsyms_sym_address, v5.10, v6.1, v6.12, v7.2.
type addressTable struct {
	how     Addressing
	last    bool   // behind the token index
	entries []byte // 8 bytes each for AbsoluteAddresses, else 4
	base    uint64 // kallsyms_relative_base, or the address of the first entry for PlaceRelative
	end     int    // offset behind the table in the section
}

// address is that of symbol i; absolute when the kernel's relocation does not move it.
func (t *addressTable) address(i int) (addr uint64, absolute bool) {
	if t.how == AbsoluteAddresses {
		addr = binary.LittleEndian.Uint64(t.entries[8*i:])
		return addr, addr < kernelHalf
	}
	offset := binary.LittleEndian.Uint32(t.entries[4*i:])
	switch {
	case t.how == BaseRelative:
		return t.base + uint64(offset), false
	case t.how == PlaceRelative:
		return t.base + uint64(4*i) + uint64(int64(int32(offset))), false
	case int32(offset) >= 0:
		return uint64(offset), true
	}
	return t.base + uint64(-1-int64(int32(offset))), false
}

// kernelHalf is the lowest address of the kernel's half on every 64-bit architecture with a livepatch.
const kernelHalf = 1 << 63

// addressTables is every place and form that the address table may have, given the tables around it. Which one it is,
// its addresses must tell.
func addressTables(data []byte, addr uint64, names *nameTable, tokens *tokenTable, align int) []*addressTable {
	var found []*addressTable
	n := names.count
	add := func(how Addressing, last bool, at, width, baseAt int) {
		if at < 0 || at+width*n > len(data) {
			return
		}
		t := &addressTable{how: how, last: last, entries: data[at : at+width*n], end: alignUp(at+width*n, align)}
		switch {
		case how == PlaceRelative:
			t.base = addr + uint64(at)
		case baseAt != 0:
			if baseAt < 0 || baseAt+8 > len(data) {
				return
			}
			t.base = binary.LittleEndian.Uint64(data[baseAt:])
			t.end = max(t.end, baseAt+8)
		}
		found = append(found, t)
	}
	behind := alignUp(tokens.end, align)
	offsets := alignUp(4*n, align)
	for _, how := range []Addressing{BaseRelativePerCPU, BaseRelative} {
		add(how, false, names.numSyms-8-offsets, 4, names.numSyms-8)
		add(how, true, behind, 4, behind+offsets)
	}
	add(PlaceRelative, true, behind, 4, 0)
	add(AbsoluteAddresses, false, names.numSyms-8*n, 8, 0)
	add(AbsoluteAddresses, true, behind, 8, 0)
	return found
}

var errAddresses = errors.New("addresses do not fit")

// resolve gives the symbols their addresses, and fails unless they ascend and lie within the image. In the forms with a
// base, that is the first address that is not absolute.
func (t *addressTable) resolve(symbols []Symbol, low, high uint64) error {
	var before uint64
	moved := false
	for i := range symbols {
		addr, absolute := t.address(i)
		if addr < before {
			return errAddresses
		}
		if !absolute {
			if addr < low || addr > high {
				return errAddresses
			}
			if !moved && (t.how == BaseRelative || t.how == BaseRelativePerCPU) && addr != t.base {
				return errAddresses
			}
			moved = true
		}
		symbols[i].Addr, symbols[i].Absolute = addr, absolute
		before = addr
	}
	if !moved {
		return errAddresses
	}
	return nil
}
