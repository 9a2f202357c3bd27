package link

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// listed is one entry of the module's struct klp_func array.
type listed struct {
	name string
	pos  int
	new  *unit.Item
	used bool
}

// The module's source names its arrays so.
const (
	objectArray    = "livesplice_objects"
	functionArrays = "livesplice_funcs_"
)

// functionList reads the array of struct klp_object, and for each of its entries the array of struct klp_func, by the
// place that each function resolves to. name and funcs are the first members of the one, old_name, new_func and
// old_sympos those of the other, and the rest is the kernel's own.
//
// Source: include/linux/livepatch.h, v4.5 to v7.0.
func (v *verifier) functionList() (map[vmlinux.At]*listed, error) {
	const nameOff, funcsOff, minSize = 0, 8, 16
	// The callbacks of a module. Source: struct klp_callbacks, v4.15 to v7.2.
	callbacks := []struct {
		off  uint64
		name string
	}{{16, patched}, {40, unloaded}}
	it := v.mod.ItemOf(v.mod.Obj.Symbol(objectArray))
	if it == nil || it.Bytes() == nil {
		return nil, fmt.Errorf("no array %q", objectArray)
	}
	refs, err := v.mod.Refs(it)
	if err != nil {
		return nil, err
	}
	n := uint64(0)
	for _, r := range refs {
		if r.To != nil && strings.HasPrefix(r.To.Name, functionArrays) {
			n++
		}
	}
	if n == 0 || it.Size()%(n+1) != 0 || it.Size()/(n+1) < minSize {
		return nil, fmt.Errorf("array %q: %d arrays of functions in %d bytes", objectArray, n, it.Size())
	}
	size := it.Size() / (n + 1)
	out := map[vmlinux.At]*listed{}
	seen := map[string]bool{}
	for i := range n {
		object := vmlinux.Object
		if len(refs) > 0 && refs[0].Offset == i*size+nameOff {
			if object, err = text(refs[0]); err != nil {
				return nil, fmt.Errorf("array %q: entry %d: %w", objectArray, i, err)
			}
			refs = refs[1:]
		}
		if len(refs) == 0 || refs[0].Offset != i*size+funcsOff || refs[0].To == nil || refs[0].ToOffset != 0 || refs[0].To.Name != functionArrays+object {
			return nil, fmt.Errorf("array %q: entry %d: no reference to the functions of %s", objectArray, i, object)
		}
		if seen[object] {
			return nil, fmt.Errorf("array %q: %s is listed twice", objectArray, object)
		}
		seen[object] = true
		if err := v.functionsOf(object, refs[0].To, out); err != nil {
			return nil, err
		}
		refs = refs[1:]
		for _, c := range callbacks {
			if len(refs) > 0 && refs[0].Offset == i*size+c.off && refs[0].To != nil && refs[0].To.Name == c.name && refs[0].ToOffset == 0 && object != vmlinux.Object {
				refs = refs[1:]
			}
		}
	}
	if len(refs) > 0 || len(bytes.Trim(it.Bytes(), "\x00")) > 0 {
		return nil, fmt.Errorf("array %q: more than the names and functions of %d objects", objectArray, n)
	}
	return out, nil
}

// functionsOf reads the array of one object.
func (v *verifier) functionsOf(object string, it *unit.Item, out map[vmlinux.At]*listed) error {
	const nameOff, funcOff, posOff, minSize = 0, 8, 16, 24
	refs, err := v.mod.Refs(it)
	if err != nil {
		return err
	}
	n := len(refs) / 2
	if n == 0 && len(refs) == 0 && it.Size() >= minSize && len(bytes.Trim(it.Bytes(), "\x00")) == 0 && object != vmlinux.Object {
		return nil // of a module to which the update only adds code
	}
	if n == 0 || len(refs)%2 != 0 || it.Bytes() == nil || it.Size()%uint64(n+1) != 0 || it.Size()/uint64(n+1) < minSize {
		return fmt.Errorf("array %q: %d references in %d bytes", it, len(refs), it.Size())
	}
	size := it.Size() / uint64(n+1)
	for i := range n {
		entry := it.Bytes()[uint64(i)*size:][:size]
		name, fn, base := refs[2*i], refs[2*i+1], uint64(i)*size
		if name.Offset != base+nameOff || fn.Offset != base+funcOff || fn.To == nil || fn.To.Kind != unit.Function || fn.ToOffset != 0 {
			return fmt.Errorf("array %q: entry %d: references at %#x and %#x", it, i, name.Offset, fn.Offset)
		}
		l := &listed{new: fn.To, pos: int(binary.LittleEndian.Uint32(entry[posOff:]))}
		if l.name, err = text(name); err != nil {
			return fmt.Errorf("array %q: entry %d: %w", it, i, err)
		}
		if len(bytes.Trim(entry[posOff+4:], "\x00")) > 0 {
			return fmt.Errorf("array %q: entry %d: %s: bytes behind the position are not zero", it, i, l.name)
		}
		at, err := v.symbol(klpName{object, l.name, l.pos})
		if err != nil {
			return err
		}
		if out[at] != nil {
			return fmt.Errorf("array %q: %s is listed twice", it, l.name)
		}
		out[at] = l
	}
	if len(bytes.Trim(it.Bytes()[uint64(n)*size:], "\x00")) > 0 {
		return fmt.Errorf("array %q: no zero entry at its end", it)
	}
	return nil
}

// text is the NUL-terminated string that a reference leads to.
func text(r unit.Ref) (string, error) {
	if r.To == nil || r.ToOffset < 0 || r.ToOffset >= int64(len(r.To.Bytes())) {
		return "", fmt.Errorf("no text at the place referred to")
	}
	s, _, ok := bytes.Cut(r.To.Bytes()[r.ToOffset:], []byte{0})
	if !ok {
		return "", fmt.Errorf("text %q without an end", s)
	}
	return string(s), nil
}

// klpName is what livepatch finds a symbol by.
type klpName struct {
	object, name string
	pos          int
}

// symbol resolves an object's name and position as the kernel does. In a module, undefined symbols do not count, and
// those of init sections only while it is being loaded.
//
// Source: kernel/livepatch/core.c, klp_find_object_symbol, and kernel/module/kallsyms.c, v6.1.
func (v *verifier) symbol(k klpName) (at vmlinux.At, err error) {
	var all []vmlinux.Symbol
	switch im := v.k.Modules[k.object]; {
	case k.object == vmlinux.Object:
		all = v.k.Run.Lookup(k.name)
	case im == nil:
		return at, fmt.Errorf("symbol %q: of %q, which is neither patched nor imported from", k.name, k.object)
	default:
		for _, s := range im.Lookup(k.name) {
			if s.Type != 'U' {
				all = append(all, s)
			}
		}
		if len(all) > 1 && slices.ContainsFunc(all, func(s vmlinux.Symbol) bool { return im.Freed(s.Addr) }) {
			return at, fmt.Errorf("symbol %q: %q has several, one of them only while it is being loaded", k.name, k.object)
		}
	}
	switch {
	case len(all) == 0:
		return at, fmt.Errorf("symbol %q: not in the shipped %s", k.name, k.object)
	case k.pos == 0 && len(all) > 1:
		return at, fmt.Errorf("symbol %q: %d in the shipped %s, but no position", k.name, len(all), k.object)
	case k.pos < 0 || k.pos > len(all):
		return at, fmt.Errorf("symbol %q: position %d of %d", k.name, k.pos, len(all))
	}
	return vmlinux.At{Object: k.object, Addr: all[max(k.pos, 1)-1].Addr}, nil
}

// address resolves an undefined symbol of the module as the kernel's loader or livepatch will.
func (v *verifier) address(s *elfobj.Symbol) (at vmlinux.At, err error) {
	if s.Shndx == elfobj.ShnLivepatch {
		k, err := parseKlp(s.Name)
		if err != nil {
			return at, err
		}
		return v.symbol(k)
	}
	e, ok := v.k.Export(s.Name)
	if !ok || !s.Undefined() {
		return at, fmt.Errorf("symbol %q: not one that the shipped kernel exports", s.Name)
	}
	return vmlinux.At{Object: vmlinux.Object, Addr: e.Addr}, nil
}

func parseKlp(s string) (k klpName, err error) {
	rest, ok := strings.CutPrefix(s, ".klp.sym.")
	object, rest, more := strings.Cut(rest, ".")
	i := strings.LastIndexByte(rest, ',')
	if ok && more && object != "" && i >= 1 {
		if pos, err := strconv.Atoi(rest[i+1:]); err == nil {
			return klpName{object, rest[:i], pos}, nil
		}
	}
	return k, fmt.Errorf("symbol %q: not of the form .klp.sym.object.name,position", s)
}
