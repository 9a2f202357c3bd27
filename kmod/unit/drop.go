package unit

import (
	"bytes"
	"fmt"
	"strings"

	"livesplice/kmod/elfobj"
)

// DropDebug gives up the debug information, which is most of an object, and what was read of it. again reads the same object
// once more, for who asks for lines or inlined calls later: a header has a thousand units, of which few are ever asked.
func (u *Unit) DropDebug(again func() (*elfobj.Object, error)) {
	for _, s := range u.Obj.Sections {
		if strings.HasPrefix(s.Name, ".debug_") || s.Applies != nil && strings.HasPrefix(s.Applies.Name, ".debug_") {
			s.Data, s.Relocs = nil, nil
			continue
		}
		s.Data = bytes.Clone(s.Data) // the whole file would stay for a part of it
	}
	u.again, u.lines, u.inlined, u.sources = again, nil, nil, nil
	u.ForgetRefs()
}

// debugObject is the object with its debug information, and base with sections of that object for keys.
func (u *Unit) debugObject(base map[*elfobj.Section]uint64) (*elfobj.Object, map[*elfobj.Section]uint64, error) {
	if u.again == nil {
		return u.Obj, base, nil
	}
	obj, err := u.again()
	if err != nil {
		return nil, nil, err
	}
	if len(obj.Sections) != len(u.Obj.Sections) {
		return nil, nil, fmt.Errorf("object: %d sections, and %d when it was read before", len(obj.Sections), len(u.Obj.Sections))
	}
	moved := map[*elfobj.Section]uint64{}
	for i, s := range u.Obj.Sections {
		if at, ok := base[s]; ok {
			moved[obj.Sections[i]] = at
		}
	}
	return obj, moved, nil
}
