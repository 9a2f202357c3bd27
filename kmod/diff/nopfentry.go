package diff

import (
	"bytes"
	"debug/elf"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// atEntry says whether a place that a table lists for ftrace is the function's entry. On x86-64 the list is the same for
// calls of mcount, which stand behind the set-up of the frame: there it is too late to go elsewhere.
//
// Source: arch/x86/include/asm/livepatch.h, klp_check_compiler_support, v4.0; Makefile, CC_USING_FENTRY, v3.10.
func atEntry(u *unit.Unit, it *unit.Item, at int64) bool {
	if u.Obj.Machine != elf.EM_X86_64 {
		return true
	}
	pad := u.Arch.Trace().Pad
	return at == 0 || at == int64(len(pad)) && bytes.HasPrefix(it.Bytes(), pad)
}

// noFentry says why livepatch cannot redirect a function that has no call for it at its entry.
func noFentry(u *unit.Unit, it *unit.Item) string {
	refs, err := u.Refs(it)
	if err == nil && u.Obj.Machine == elf.EM_X86_64 {
		for _, ref := range refs {
			if ref.External != nil && ref.Direct && ref.External.Name == "mcount" {
				return "the function calls mcount behind the set-up of its frame, not __fentry__ in front of it (-mfentry, gcc 4.6), so livepatch cannot redirect it"
			}
		}
	}
	return "the function has no fentry call (notrace), so livepatch cannot redirect it"
}

// nopFentry gives the place of a call for tracing that the build has made a nop: its offset in the function.
func nopFentry(u *unit.Unit, it *unit.Item) (at uint64, ok bool) {
	trace := u.Arch.Trace()
	if trace.Nop == nil || it.Kind != unit.Function || it.Parent != nil {
		return 0, false
	}
	code := it.Bytes()
	for _, at := range trace.Nop.At {
		if !atEntry(u, it, int64(at)) {
			continue
		}
		for _, nop := range trace.Nop.Code {
			if uint64(len(code)) >= at+uint64(len(nop)) && bytes.Equal(code[at:at+uint64(len(nop))], nop) && unrelocated(u, it, at, uint64(len(nop))) {
				return at, true
			}
		}
	}
	return 0, false
}

// unrelocated says whether a nop has the relocations that one in a call's place has: that of the call, made one that
// changes nothing, where the build leaves it there; else none.
func unrelocated(u *unit.Unit, it *unit.Item, at, size uint64) bool {
	trace := u.Arch.Trace()
	relocs := it.Section.RelocsIn(it.Start+at, it.Start+at+size)
	if !trace.Nop.Reloc {
		return len(relocs) == 0
	}
	return len(relocs) == 1 && relocs[0].Type == trace.Nop.Kind && relocs[0].Offset == it.Start+at+trace.Nop.Field &&
		relocs[0].Sym != nil && relocs[0].Sym.Name == trace.Call
}

// restoreFentry makes a nop in a carried function of x86-64 the call again that the compiler wrote: what links the module
// then does with it what it does with all. On other machines the build needs no call to find it.
func (x *extractor) restoreFentry(it *unit.Item) {
	at, ok := nopFentry(x.Post, it)
	if !ok || x.Post.Obj.Machine != elf.EM_X86_64 {
		return
	}
	p := x.placed[it]
	const call, size = 0xe8, 5
	code := p.Section.Data[p.Value+at : p.Value+at+size]
	clear(code)
	code[0] = call
	rela := x.out.AddRela(p.Section)
	rela.Relocs = append(rela.Relocs, elfobj.Reloc{Offset: p.Value + at + 1, Type: uint32(elf.R_X86_64_PLT32), Sym: x.need(nil, x.Post.Arch.Trace().Call, elf.STT_NOTYPE), Addend: -4})
}
