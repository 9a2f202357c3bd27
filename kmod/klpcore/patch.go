package klpcore

import (
	"bytes"
	"fmt"
	"sort"
)

// Object is an entry of the module's array of struct klp_object.
type Object struct {
	Name      string     `json:"name"`      // "vmlinux" for the entry without a name
	Functions []Function `json:"functions"` // none: the update only adds code to it

	callbacks   []place // those that are set
	postUnpatch bool    // one that runs once the object is no longer patched
}

// Function is an entry of an array of struct klp_func.
type Function struct {
	Name string `json:"name"`
	Pos  uint64 `json:"position"`

	new place
}

// place is a place in the module; section 0 for none.
type place struct {
	section int
	off     uint64
}

// The members that a module fills in, in bytes. The sizes of the structs differ with version and configuration.
//
// Source: include/linux/livepatch.h, v5.10, v6.1, v6.12 and v7.2 (there livepatch_external.h for the callbacks).
const (
	patchMod, patchObjs, patchStates, patchReplace = 0, 8, 16, 24

	objectName, objectFuncs, objectCallbacks, objectStatic = 0, 8, 16, 56 // four callbacks and a bool, then what is the kernel's own
	callbacks, postUnpatch                                 = 4, 3

	funcName, funcNew, funcPos, funcStatic = 0, 8, 16, 24
)

// pointers are the 64-bit pointers in a range of a section, by their offsets in it.
func (m *model) pointers(at place, size uint64) map[uint64]field {
	out := map[uint64]field{}
	i := sort.Search(len(m.fields), func(i int) bool {
		f := m.fields[i]
		return f.in.index > at.section || f.in.index == at.section && f.off >= at.off
	})
	for _, f := range m.fields[i:] {
		if f.in.index != at.section || f.off-at.off >= size {
			break
		}
		if f.size == 8 && !f.pcrel && f.object == "" {
			out[f.off-at.off] = f
		}
	}
	return out
}

// maxArray bounds an array, in bytes: some thousand functions.
const maxArray = 8 << 20

// readPatch finds the module's struct klp_patch and reads its objects. It is the one place in its data with a pointer to the
// module itself and one to an array behind it.
func (m *model) readPatch() error {
	var found []place
	for _, f := range m.fields {
		y := m.symbols[f.sym]
		if f.size != 8 || f.pcrel || f.object != "" || f.in.flags&shfWrite == 0 || y.name != "__this_module" || f.addend != 0 {
			continue
		}
		if at := (place{f.in.index, f.off}); m.pointers(at, patchStates)[patchObjs].size == 8 {
			found = append(found, at)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("%d places look like its struct klp_patch, want one", len(found))
	}
	m.patch = found[0]
	p := m.pointers(m.patch, patchReplace)
	if f, ok := p[patchStates]; ok {
		m.states = append(m.states, m.target(f))
	}
	return m.readObjects(m.target(p[patchObjs]))
}

// array gives size and count of an array's entries, the last of which is empty. A symbol tells how long the whole is; an
// entry is as long as makes each but the last have the pointer that it must have, and no pointer elsewhere than in the members
// that a module fills in.
func (m *model) array(at place, tag string, least uint64, must uint64, may func(off uint64) bool) (size, n uint64, err error) {
	whole := uint64(0)
	for _, y := range m.symbols {
		if y.in() == at.section && y.value == at.off && y.typ == sttObject {
			whole = max(whole, y.size)
		}
	}
	s := &m.sections[at.section]
	if whole == 0 || whole > maxArray || at.off > s.size || whole > s.size-at.off {
		return 0, 0, fmt.Errorf("%s+%#x: no symbol says how long the array of struct %s is", s.name, at.off, tag)
	}
	ptrs := m.pointers(at, whole)
	fits := func(size uint64) bool {
		n := whole/size - 1
		for i := range n {
			if _, ok := ptrs[i*size+must]; !ok {
				return false
			}
		}
		for off := range ptrs {
			if off/size >= n || !may(off%size) {
				return false
			}
		}
		return true
	}
	var sizes []uint64
	for k := uint64(1); k <= whole/least; k++ {
		if whole%k == 0 && whole/k%8 == 0 && fits(whole/k) {
			sizes = append(sizes, whole/k)
		}
	}
	if len(sizes) != 1 {
		return 0, 0, fmt.Errorf("%s+%#x: the array of struct %s can be read in %d ways", s.name, at.off, tag, len(sizes))
	}
	if m.kernel.StructSize != nil {
		if want, ok := m.kernel.StructSize(tag); ok && want != sizes[0] {
			return 0, 0, fmt.Errorf("%s+%#x: entries of %d bytes, struct %s of the kernel has %d", s.name, at.off, sizes[0], tag, want)
		}
	}
	if end := at.off + whole - sizes[0]; s.data != nil && len(bytes.Trim(s.data[end:end+sizes[0]], "\x00")) > 0 {
		return 0, 0, fmt.Errorf("%s+%#x: the last struct %s is not empty", s.name, at.off, tag)
	}
	return sizes[0], whole/sizes[0] - 1, nil
}

func (m *model) readObjects(at place) error {
	isCallback := func(off uint64) bool { return off >= objectCallbacks && off < objectCallbacks+8*callbacks }
	size, n, err := m.array(at, "klp_object", objectStatic, objectFuncs, func(off uint64) bool {
		return off == objectName || off == objectFuncs || isCallback(off) && off%8 == 0
	})
	if err != nil {
		return err
	}
	m.mute(m.patch)
	m.mute(at)
	seen := map[string]bool{}
	for i := range n {
		entry := place{at.section, at.off + i*size}
		o := Object{Name: vmlinux}
		p := m.pointers(entry, size)
		if f, ok := p[objectName]; ok {
			if o.Name, err = m.text(m.target(f)); err != nil {
				return fmt.Errorf("object %d: %w", i, err)
			}
			if o.Name == vmlinux || o.Name == "" || len(o.Name) > longestObject {
				return fmt.Errorf("object %d: called %q", i, o.Name)
			}
		}
		if seen[o.Name] {
			return fmt.Errorf("object %q: twice, and the kernel takes the first", o.Name)
		}
		seen[o.Name] = true
		for c := range uint64(callbacks) {
			if f, ok := p[objectCallbacks+8*c]; ok {
				o.callbacks = append(o.callbacks, m.target(f))
				o.postUnpatch = o.postUnpatch || c == postUnpatch
			}
		}
		if err := m.readFunctions(&o, m.target(p[objectFuncs])); err != nil {
			return fmt.Errorf("object %q: %w", o.Name, err)
		}
		m.objects = append(m.objects, o)
	}
	return nil
}

func (m *model) readFunctions(o *Object, at place) error {
	size, n, err := m.array(at, "klp_func", funcStatic, funcNew, func(off uint64) bool { return off == funcName || off == funcNew })
	if err != nil {
		return err
	}
	m.mute(at)
	for i := range n {
		entry := place{at.section, at.off + i*size}
		p := m.pointers(entry, size)
		f := Function{new: m.target(p[funcNew])}
		name, ok := p[funcName]
		if !ok {
			return fmt.Errorf("function %d: no name", i)
		}
		if f.Name, err = m.text(m.target(name)); err != nil {
			return fmt.Errorf("function %d: %w", i, err)
		}
		d := m.sections[entry.section].data[entry.off:][:size]
		f.Pos = le.Uint64(d[funcPos:])
		if len(bytes.Trim(d[funcStatic:], "\x00")) > 0 {
			return fmt.Errorf("function %q: more than name, function and position is filled in", f.Name)
		}
		if s := &m.sections[f.new.section]; !s.exec() {
			return fmt.Errorf("function %q: the new one is in %q", f.Name, s.name)
		}
		o.Functions = append(o.Functions, f)
	}
	return nil
}

func (m *model) text(at place) (string, error) { return text(m.sections[at.section].data, at.off) }
