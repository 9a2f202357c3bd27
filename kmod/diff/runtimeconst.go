package diff

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// Runtime constants. Since 6.11 the kernel writes some values that never change after boot, such as the address of the
// table of dentries, into its own instructions. It does that once, at boot, and for no module: copies of such
// instructions would go on holding the placeholder.
//
// A pointer is a MOV of a placeholder into a register, and the variable that it stands for keeps the value too: a copy
// loads it from there. A shift count stands in an instruction of three bytes, and has nowhere to come from.
//
// Source: arch/x86/include/asm/runtime-const.h, v6.12 and v7.2.
const (
	runtimePointer = "runtime_ptr_"
	runtimeShift   = "runtime_shift_"

	placeholder = 0x0123456789abcdef
)

// loadRuntimeConstants makes carried functions of post load runtime constants from their variables; it says whether it
// changed any.
func (x *extractor) loadRuntimeConstants() (changed bool) {
	var pointers []unit.Entry
	for _, it := range x.items {
		for _, e := range x.cmp.special[x.Post][it] {
			if strings.HasPrefix(e.Section.Name, runtimePointer) {
				pointers = append(pointers, e)
			} else if name, ok := strings.CutPrefix(e.Section.Name, runtimeShift); ok {
				x.cannot(NotExtractable, it, "it shifts by "+name+", a constant that the kernel writes into its own code at boot, and not into that of modules",
					"change a caller of the function instead, or reboot into a fixed kernel")
			}
		}
	}
	// The last of a section first, since taking an entry out moves those behind it.
	slices.SortStableFunc(pointers, func(a, b unit.Entry) int { return cmp.Compare(b.Start, a.Start) })
	for _, e := range pointers {
		it := e.Refs[0].To
		if err := loadRuntimeConstant(x.Post.Obj, it, e); err != nil {
			x.cannot(UnknownCode, it, err.Error(), "report this as a bug of livesplice, with the object")
			continue
		}
		x.Post.Forget(it)
		changed = true
	}
	return changed
}

// loadRuntimeConstant turns the MOV of ten bytes that an entry names into one of seven from the variable, and a nop.
func loadRuntimeConstant(obj *elfobj.Object, it *unit.Item, e unit.Entry) error {
	variable := strings.TrimPrefix(e.Section.Name, runtimePointer)
	const prefix, insn = 2, 10 // bytes before the placeholder, and of all
	at := e.Refs[0].ToOffset - prefix
	if obj.Machine != elf.EM_X86_64 || at < 0 || at+insn > int64(it.Size()) {
		return fmt.Errorf("entry of %s: not an instruction of the function", e.Section.Name)
	}
	start := it.Start + uint64(at)
	code := it.Section.Data[start : start+insn]
	if code[0]&^1 != 0x48 || code[1]&^7 != 0xb8 || binary.LittleEndian.Uint64(code[prefix:]) != placeholder || len(it.Section.RelocsIn(start, start+insn)) > 0 {
		return fmt.Errorf("entry of %s: % x at %#x is not a MOV of the placeholder", e.Section.Name, code, at)
	}
	it.Section.Data = slices.Clone(it.Section.Data) // what was read may be shared
	code = it.Section.Data[start : start+insn]
	high, low := code[0]&1, code[1]&7 // the register: REX.B and the opcode's last bits become REX.R and ModRM.reg
	copy(code, []byte{0x48 | high<<2, 0x8b, low<<3 | 5, 0, 0, 0, 0, 0x0f, 0x1f, 0})
	sym := obj.Symbol(variable)
	if sym == nil {
		sym = &elfobj.Symbol{Name: variable, Bind: elf.STB_GLOBAL, Type: elf.STT_NOTYPE, Shndx: elf.SHN_UNDEF}
		obj.Symbols = append(obj.Symbols, sym)
	}
	rela := obj.AddRela(it.Section)
	field := elfobj.Reloc{Offset: start + 3, Type: uint32(elf.R_X86_64_PC32), Sym: sym, Addend: -4}
	i := slices.IndexFunc(rela.Relocs, func(r elfobj.Reloc) bool { return r.Offset > field.Offset })
	if i < 0 {
		i = len(rela.Relocs)
	}
	rela.Relocs = slices.Insert(slices.Clone(rela.Relocs), i, field)
	dropEntry(e)
	return nil
}

// dropEntry takes an entry out of its section.
func dropEntry(e unit.Entry) {
	s := e.Section
	var left []elfobj.Reloc
	for _, r := range s.Rela.Relocs {
		switch {
		case r.Offset >= e.End:
			r.Offset -= e.End - e.Start
		case r.Offset >= e.Start:
			continue
		}
		left = append(left, r)
	}
	s.Rela.Relocs = left
	s.Data = slices.Delete(slices.Clone(s.Data), int(e.Start), int(e.End))
}
