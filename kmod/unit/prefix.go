package unit

import (
	"debug/elf"
	"strings"

	"livesplice/kmod/elfobj"
)

// maxPrefix is the most padding, in bytes, that a compiler is told to put in front of a function.
//
// Source: arch/x86/Kconfig, FUNCTION_PADDING_BYTES, v6.2 to v7.2.
const maxPrefix = 59

// Prefix is the size in bytes of the nops in front of a function that belong to it: with CONFIG_CALL_PADDING the kernel
// writes code there when it tracks calls or checks types. An entry of __patchable_function_entries names their start.
func (u *Unit) Prefix(it *Item) uint64 {
	if u.prefixes == nil {
		u.prefixes = map[*Item]uint64{}
		for _, s := range u.Obj.Sections {
			if s.Name != "__patchable_function_entries" || s.Type == elf.SHT_RELA || s.Rela == nil {
				continue
			}
			for _, r := range s.Rela.Relocs {
				if r.Sym == nil || r.Sym.Section == nil {
					continue
				}
				at := int64(r.Sym.Value) + r.Addend
				if f := u.behindPadding(r.Sym.Section, at); f != nil {
					u.prefixes[f] = f.Start - uint64(at)
				}
			}
		}
	}
	return u.prefixes[it]
}

// behindPadding gives the function in whose prefix a place between items lies, or nil.
func (u *Unit) behindPadding(s *elfobj.Section, at int64) *Item {
	if !s.Exec() || at < 0 || u.ItemAt(s, at) != nil && uint64(at) != u.ItemAt(s, at).End {
		return nil
	}
	for _, it := range u.bySection[s] {
		if it.Start <= uint64(at) {
			continue
		}
		if it.Kind == Function && it.Start-uint64(at) <= maxPrefix && u.onlyNops(s, uint64(at), it.Start) {
			return it
		}
		return nil
	}
	return nil
}

// prefixSymbol says whether a symbol, which objtool adds, stands for the nops in front of a function, and so for no function
// of its own.
//
// Source: add_prefix_symbol in tools/objtool/check.c, v6.2 to v7.2.
func (u *Unit) prefixSymbol(s *elfobj.Section, y *elfobj.Symbol) bool {
	return y.Type == elf.STT_FUNC && strings.HasPrefix(y.Name, "__pfx_") && y.Value+y.Size >= y.Value && y.Value+y.Size <= s.Size() &&
		u.onlyNops(s, y.Value, y.Value+y.Size)
}
