package match

import (
	"encoding/binary"

	"livesplice/kmod/unit"
)

// entry checks a field of code whose function begins at addr and that names target, an entry of a special section: since 6.19 a WARN with
// a message passes the address of its entry in __bug_table on. The entry at that address must be one for the same
// place of the same code, so its first field must lead there.
//
// Source: arch/x86/include/asm/bug.h, __WARN_bug_entry, v7.2.
func (a *attempt) entry(r unit.Ref, addr, target uint64) *difference {
	other := &difference{reason: "refers to " + r.Table.Name}
	owner, _, in := a.m.special.Find(r.Table, r.ToOffset)
	if owner == nil || r.Table.Name != "__bug_table" {
		return other
	}
	e := unit.Entry{}
	for _, one := range a.m.special[owner] {
		if one.Section == r.Table && int64(one.Start)+in == r.ToOffset {
			e = one
		}
	}
	at := target - uint64(in)
	have, ok := a.m.run.Bytes(at, e.End-e.Start)
	if !ok || len(e.Refs) == 0 || len(have) < 4 || e.Refs[0].Offset != 0 || e.Refs[0].Field.Size != 4 {
		return other
	}
	place := at + uint64(int64(int32(binary.LittleEndian.Uint32(have))))
	if base := place - uint64(e.Refs[0].ToOffset); base != addr {
		return &difference{reason: "refers to an entry of " + r.Table.Name + " for another place"}
	}
	return nil
}
