package safedwarf

import (
	"bytes"
	"debug/dwarf"
	"encoding/binary"
	"testing"
)

// FuzzTop makes types of entries that were looked over; nothing may use the stack up or come to no end.
func FuzzTop(f *testing.F) {
	add := func(entries ...[]byte) { f.Add(abbrevs, bytes.Join(entries, nil)) }
	add([]byte{1}, to(2, 5), []byte{6, 4, 5}, []byte{0})
	add([]byte{1}, to(2, 0), []byte{0})
	add([]byte{1}, to(4, 0), []byte{0}, []byte{0})
	add([]byte{1}, to(5, 5), to(2, 0), []byte{0})
	add([]byte{1}, append(to(8, 10), 4), []byte{6, 4, 5}, []byte{0}, []byte{7}, []byte{7}, []byte{0}, []byte{0}, []byte{0})
	f.Fuzz(func(t *testing.T, abbrev, body []byte) {
		info := binary.LittleEndian.AppendUint32(nil, uint32(len(body)+header-4))
		info = append(info, 4, 0, 0, 0, 0, 0, 8)
		d, err := dwarf.New(abbrev, nil, nil, append(info, body...), nil, nil, nil, nil)
		if err != nil {
			return
		}
		for r := NewReader(d); ; {
			e, err := r.Next()
			if err != nil || e == nil {
				break
			}
			Skip(r, e)
		}
		top, err := Top(d)
		if err != nil {
			return
		}
		for _, e := range top {
			func() {
				defer func() { _ = recover() }() // as those do who read it
				if typ, err := d.Type(e.Offset); err == nil {
					typ.Size()
				}
			}()
		}
	})
}
