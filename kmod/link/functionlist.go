package link

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// listed is one entry of the module's struct klp_func array.
type listed struct {
	name string
	pos  int
	new  *unit.Item
	used bool
}

const functionArray = "livesplice_funcs_vmlinux"

// functionList reads the array of struct klp_func by the address that each entry resolves to. old_name, new_func and
// old_sympos are its first three members, and the rest is the kernel's own.
//
// Source: include/linux/livepatch.h, v4.5 to v7.0.
func (v *verifier) functionList() (map[uint64]*listed, error) {
	const nameOff, funcOff, posOff, minSize = 0, 8, 16, 24
	it := v.mod.ItemOf(v.mod.Obj.Symbol(functionArray))
	if it == nil || it.Bytes() == nil {
		return nil, fmt.Errorf("no array %q", functionArray)
	}
	refs, err := v.mod.Refs(it)
	if err != nil {
		return nil, err
	}
	n := len(refs) / 2
	if n == 0 || len(refs)%2 != 0 || it.Size()%uint64(n+1) != 0 || it.Size()/uint64(n+1) < minSize {
		return nil, fmt.Errorf("array %q: %d references in %d bytes", functionArray, len(refs), it.Size())
	}
	size := it.Size() / uint64(n+1)
	out := map[uint64]*listed{}
	for i := range n {
		entry := it.Bytes()[uint64(i)*size:][:size]
		name, fn, base := refs[2*i], refs[2*i+1], uint64(i)*size
		if name.Offset != base+nameOff || fn.Offset != base+funcOff || fn.To == nil || fn.To.Kind != unit.Function || fn.ToOffset != 0 {
			return nil, fmt.Errorf("array %q: entry %d: references at %#x and %#x", functionArray, i, name.Offset, fn.Offset)
		}
		l := &listed{new: fn.To, pos: int(binary.LittleEndian.Uint32(entry[posOff:]))}
		if l.name, err = text(name); err != nil {
			return nil, fmt.Errorf("array %q: entry %d: %w", functionArray, i, err)
		}
		if len(bytes.Trim(entry[posOff+4:], "\x00")) > 0 {
			return nil, fmt.Errorf("array %q: entry %d: %s: bytes behind the position are not zero", functionArray, i, l.name)
		}
		addr, err := v.symbol(l.name, l.pos)
		if err != nil {
			return nil, err
		}
		if out[addr] != nil {
			return nil, fmt.Errorf("array %q: %s is listed twice", functionArray, l.name)
		}
		out[addr] = l
	}
	if len(bytes.Trim(it.Bytes()[uint64(n)*size:], "\x00")) > 0 {
		return nil, fmt.Errorf("array %q: no zero entry at its end", functionArray)
	}
	return out, nil
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

// symbol resolves a name and position as the kernel does.
//
// Source: kernel/livepatch/core.c, klp_find_object_symbol, v6.1.
func (v *verifier) symbol(name string, pos int) (uint64, error) {
	all := v.k.Run.Lookup(name)
	switch {
	case len(all) == 0:
		return 0, fmt.Errorf("symbol %q: not in the shipped kernel", name)
	case pos == 0 && len(all) > 1:
		return 0, fmt.Errorf("symbol %q: %d in the shipped kernel, but no position", name, len(all))
	case pos == 0:
		return all[0].Addr, nil
	case pos < 0 || pos > len(all):
		return 0, fmt.Errorf("symbol %q: position %d of %d", name, pos, len(all))
	}
	return all[pos-1].Addr, nil
}

// address resolves an undefined symbol of the module as the kernel's loader or livepatch will.
func (v *verifier) address(s *elfobj.Symbol) (uint64, error) {
	if s.Shndx == elfobj.ShnLivepatch {
		name, pos, err := parseKlp(s.Name)
		if err != nil {
			return 0, err
		}
		return v.symbol(name, pos)
	}
	e, ok := v.k.Export(s.Name)
	if !ok || !s.Undefined() {
		return 0, fmt.Errorf("symbol %q: not one that the shipped kernel exports", s.Name)
	}
	return e.Addr, nil
}

func parseKlp(s string) (name string, pos int, err error) {
	rest, ok := strings.CutPrefix(s, ".klp.sym.vmlinux.")
	i := strings.LastIndexByte(rest, ',')
	if ok && i >= 1 {
		if pos, err = strconv.Atoi(rest[i+1:]); err == nil {
			return rest[:i], pos, nil
		}
	}
	return "", 0, fmt.Errorf("symbol %q: not of the form .klp.sym.vmlinux.name,position", s)
}
