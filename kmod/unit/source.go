package unit

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"strings"
)

// Source gives file:line of an item's declaration by the object's DWARF data, or "" without any. The file is as the
// compiler was given it. It writes the object out to let package debug/elf apply the relocations, which costs tens of
// milliseconds: it is meant for messages.
func (u *Unit) Source(it *Item) (place string) {
	defer func() {
		if recover() != nil { // debug/dwarf on an object that a strange compiler made
			place = ""
		}
	}()
	data, err := u.dwarf()
	if err != nil {
		return ""
	}
	want := map[string]bool{BaseName(it.Name): true}
	for _, s := range it.Syms {
		want[s.Name] = true
	}
	// A function's clones and parts are declared where it is.
	if base, _, ok := strings.Cut(it.Name, "."); ok {
		want[base] = true
	}
	r := data.Reader()
	var files []*dwarf.LineFile
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			return ""
		}
		switch e.Tag {
		case dwarf.TagCompileUnit:
			if lr, err := data.LineReader(e); err == nil && lr != nil {
				files = lr.Files()
			}
		case dwarf.TagSubprogram, dwarf.TagVariable:
			name, _ := e.Val(dwarf.AttrName).(string)
			file, ok := e.Val(dwarf.AttrDeclFile).(int64)
			line, _ := e.Val(dwarf.AttrDeclLine).(int64)
			if want[name] && ok && file >= 0 && int(file) < len(files) && files[file] != nil {
				return fmt.Sprintf("%s:%d", files[file].Name, line)
			}
		}
	}
}

func (u *Unit) dwarf() (*dwarf.Data, error) {
	raw, err := u.Obj.Write()
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return f.DWARF()
}
