package unit

import (
	"debug/dwarf"
	"errors"
)

// entries reads the entries of DWARF data one by one and always ends. debug/dwarf does not by itself: it gives an entry without a
// tag again and again where the data ends within a number, and SkipChildren calls itself for each level, which a damaged
// file can have millions of.
type entries struct {
	*dwarf.Reader
	left int // entries that the rest of the data can have: each takes a byte
}

var errEndless = errors.New("entries do not end")

// entriesOf reads from the start of the data; size is that of .debug_info in bytes.
func entriesOf(d *dwarf.Data, size uint64) *entries {
	return &entries{d.Reader(), int(size)}
}

// Next gives the next entry; nil at the end.
func (r *entries) Next() (*dwarf.Entry, error) {
	if r.left--; r.left < 0 {
		return nil, errEndless
	}
	return r.Reader.Next()
}

// skip goes on behind the children of an entry that was just read.
func (r *entries) skip(e *dwarf.Entry) error {
	if !e.Children {
		return nil
	}
	if next, ok := e.Val(dwarf.AttrSibling).(dwarf.Offset); ok && next > e.Offset {
		r.Seek(next)
		return nil
	}
	for depth := 1; depth > 0; {
		e, err := r.Next()
		if err != nil || e == nil {
			return err
		}
		if e.Tag == 0 {
			depth--
		} else if e.Children {
			depth++
		}
	}
	return nil
}
