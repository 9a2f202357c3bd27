package unit

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"strings"

	"livesplice/kmod/safedwarf"
)

// Source gives file:line of an item's declaration by the object's DWARF data, or "" without any. The file is as the
// compiler was given it. The first call reads all of the data, which costs tens of milliseconds: it is meant for
// messages.
func (u *Unit) Source(it *Item) string {
	if u.sources == nil {
		u.sources = map[string]string{}
		u.readSources()
	}
	names := []string{}
	for _, s := range it.Syms {
		names = append(names, s.Name)
	}
	// Of clones and parts, whose names the compiler made, the function.
	base, _, _ := strings.Cut(it.Name, ".")
	names = append(names, BaseName(it.Name), base)
	for _, name := range names {
		if place := u.sources[name]; place != "" {
			return place
		}
	}
	return ""
}

// readSources collects the first declaration of each function and variable that has a name and a place.
func (u *Unit) readSources() {
	defer func() {
		_ = recover() // debug/dwarf on an object that a strange compiler made: what was read so far counts
	}()
	data, err := u.dwarf()
	if err != nil {
		return
	}
	r := safedwarf.NewReader(data)
	var files []*dwarf.LineFile
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			return
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
			if name != "" && u.sources[name] == "" && ok && file >= 0 && int(file) < len(files) && files[file] != nil {
				u.sources[name] = fmt.Sprintf("%s:%d", files[file].Name, line)
			}
		}
	}
}

func (u *Unit) dwarf() (*dwarf.Data, error) {
	obj, _, err := u.debugObject(nil)
	if err != nil {
		return nil, err
	}
	raw, err := obj.Write()
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return f.DWARF()
}
