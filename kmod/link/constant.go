package link

import (
	"bytes"
	"debug/elf"
	"fmt"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// constant says whether an item of post may be in the module, or in the running kernel where that has a copy: a constant
// that is told by its bytes alone.
func constant(s *side, it *unit.Item) bool {
	return it.Bytes() != nil && !it.Writable() && !it.Section.Exec() && len(it.Section.RelocsIn(it.Start, it.End)) == 0 && diff.Fresh(it)
}

// sameShipped checks a reference to the running kernel's copy of a constant, by a symbol somewhere in front of it: at the
// place where the two lead the shipped binary must have the constant's bytes, in memory that nobody writes to and that
// stays, and a proven function of the unit must refer to it there.
func (v *verifier) sameShipped(s *side, post, mod unit.Ref) error {
	at, err := v.address(mod.External)
	if err != nil {
		return err
	}
	addr := at.Addr + uint64(mod.ToOffset-post.ToOffset)
	fail := func(what string) error {
		return fmt.Errorf("leads to %s, in the module out of it to %s%+d, where the shipped %s has %s", post.Name(), mod.Name(), mod.ToOffset, at.Object, what)
	}
	have, err := v.constantBytes(at, addr, post.To.Size())
	switch {
	case err != nil:
		return fail(err.Error())
	case !bytes.Equal(have, post.To.Bytes()):
		return fail("other bytes")
	case at.Object != s.Target:
		return fail("no part of what this code belongs to")
	}
	for _, pre := range s.Diff.Pre.Items {
		if pre.Kind != post.To.Kind || !bytes.Equal(pre.Bytes(), post.To.Bytes()) {
			continue
		}
		if known, ok := s.Match.LocatedConstant(pre); ok && known == addr {
			return nil
		}
	}
	return fail("the same bytes by chance: no proven function refers to them")
}

// constantBytes gives bytes of the shipped binary that are the same for as long as it is there, at an address in the section of
// the symbol that is at from: sections of a module have no certain distance from each other.
func (v *verifier) constantBytes(from vmlinux.At, addr, n uint64) ([]byte, error) {
	if from.Object == vmlinux.Object {
		return v.kernelBytes(from.Addr, addr, n)
	}
	im := v.k.Modules[from.Object]
	if im == nil {
		return nil, fmt.Errorf("nothing that is known")
	}
	have, ok := im.Bytes(addr, n)
	sec, base := im.SectionAt(addr)
	if at, _ := im.SectionAt(from.Addr); !ok || sec == nil || at != sec || addr < base {
		return nil, fmt.Errorf("no bytes in the section of the symbol")
	}
	if sec.Flags&(elf.SHF_WRITE|elf.SHF_EXECINSTR) != 0 || strings.HasPrefix(sec.Name, ".init") || len(sec.RelocsIn(addr-base, addr-base+n)) > 0 {
		return nil, fmt.Errorf("no constant, but %s", sec.Name)
	}
	return have, nil
}

// kernelBytes is constantBytes of vmlinux, by the marks of its linker script.
//
// Source: RO_DATA, include/asm-generic/vmlinux.lds.h, v5.10 to v7.2.
func (v *verifier) kernelBytes(from, addr, n uint64) ([]byte, error) {
	mark := func(name string) (uint64, error) {
		at, err := v.symbol(klpName{object: vmlinux.Object, name: name})
		return at.Addr, err
	}
	bounds := [4]uint64{}
	for i, name := range [4]string{"__start_rodata", "__end_rodata", "__start_ro_after_init", "__end_ro_after_init"} {
		at, err := mark(name)
		if err != nil {
			return nil, fmt.Errorf("no certain constants: %w", err)
		}
		bounds[i] = at
	}
	end := addr + n
	inside := func(a uint64) bool { return a >= bounds[0] && a < bounds[1] }
	if !inside(addr) || !inside(from) || end < addr || end > bounds[1] || addr < bounds[3] && end > bounds[2] {
		return nil, fmt.Errorf("no constant")
	}
	have, ok := v.k.Run.Bytes(addr, n)
	if !ok {
		return nil, fmt.Errorf("no bytes")
	}
	return have, nil
}
