package link

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// objtool checks what objtool adds to a module: unwind data, without which the kernel cannot tell whether a task is
// inside of the new code, and the sites of static calls. objtool exits with 0 when it gives up half way.
func (v *verifier) objtool() (errs []error) {
	return append(v.unwindData(), v.staticCalls()...)
}

// unwindData finds functions without an entry in .orc_unwind_ip, whose entries are places, 4 bytes each and relative.
//
// Source: arch/x86/kernel/unwind_orc.c, v4.14 to v7.0.
func (v *verifier) unwindData() (errs []error) {
	if len(v.k.Run.Lookup("__start_orc_unwind_ip")) == 0 {
		return nil // CONFIG_UNWINDER_FRAME_POINTER
	}
	covered := map[*elfobj.Section]bool{}
	if s := v.mod.Obj.Section(".orc_unwind_ip"); s != nil && s.Rela != nil {
		for _, r := range s.Rela.Relocs {
			if r.Sym != nil {
				covered[r.Sym.Section] = true
			}
		}
	}
	for _, it := range v.mod.Items {
		if it.Kind == unit.Function && v.back[it] != nil && !covered[it.Section] {
			errs = append(errs, fmt.Errorf("module: %s: no unwind data, which objtool has to make", it))
		}
	}
	return errs
}

// staticCalls checks that each entry of .static_call_sites is a call of the trampoline whose key it names, since the
// kernel writes the key's function into that call, and that each such call has an entry.
//
// Source: include/linux/static_call_types.h, struct static_call_site, v5.10 to v7.0: place and key, 4 bytes each and
// relative; the lower two bits of the key are flags.
func (v *verifier) staticCalls() (errs []error) {
	const size = 8
	sites := map[site]bool{}
	if sec := v.mod.Obj.Section(".static_call_sites"); sec != nil {
		for at := uint64(0); at < sec.Size(); at += size {
			refs, err := v.mod.RefsIn(sec, at, min(at+size, sec.Size()))
			if err == nil && (len(refs) != 2 || refs[0].Offset != 0 || refs[1].Offset != 4 || refs[0].To == nil) {
				err = fmt.Errorf("%d references", len(refs))
			}
			if err == nil {
				sites[site{refs[0].To, refs[0].ToOffset}] = true
				err = v.staticCall(refs[0], refs[1])
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("module: .static_call_sites: entry %d: %w", at/size, err))
			}
		}
	}
	if len(v.k.Run.Lookup("__start_static_call_sites")) == 0 {
		return errs // without CONFIG_HAVE_STATIC_CALL_INLINE calls stay those of the trampoline
	}
	for _, it := range v.mod.Items {
		if it.Kind != unit.Function || v.back[it] == nil {
			continue
		}
		refs, err := v.mod.Refs(it)
		if err != nil {
			return append(errs, err)
		}
		for _, r := range refs {
			if r.Direct && strings.HasPrefix(plain(r), "__SCT__") && !ofModule(r) && !sites[site{it, int64(r.Offset) - 1}] {
				errs = append(errs, fmt.Errorf("module: %s+%#x: calls %s, without an entry in .static_call_sites, which objtool has to make", it, r.Offset-1, plain(r)))
			}
		}
	}
	return errs
}

// site is the place of a call.
type site struct {
	in  *unit.Item
	off int64
}

func (v *verifier) staticCall(at, key unit.Ref) error {
	const flags = 3
	refs, err := v.mod.Refs(at.To)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(refs, func(r unit.Ref) bool { return r.Direct && r.Offset == uint64(at.ToOffset)+1 })
	if i < 0 {
		return fmt.Errorf("%s%+d is not a call", at.To, at.ToOffset)
	}
	if ofModule(refs[i]) || ofModule(key) {
		return fmt.Errorf("%s%+d calls %s of a module, which the kernel may not know yet when it reads the entry", at.To, at.ToOffset, plain(refs[i]))
	}
	if key.External != nil && key.External == refs[i].External && v.knownTrampoline(key) {
		return nil
	}
	called, ok := strings.CutPrefix(plain(refs[i]), "__SCT__")
	wanted, okKey := strings.CutPrefix(plain(key), "__SCK__")
	if !ok || !okKey || called != wanted || key.ToOffset&^flags != 0 {
		return fmt.Errorf("%s%+d calls %s, and its key is %s%+d", at.To, at.ToOffset, plain(refs[i]), plain(key), key.ToOffset)
	}
	return nil
}

// knownTrampoline says whether a reference leads to the trampoline of a static call for which the shipped kernel has the
// key in a table: where modules may call and not change, the trampoline is exported and not the key, and stands for it in
// a module's entries.
//
// Source: kernel/static_call_inline.c, tramp_key_lookup, v5.13 to v7.0: entries of 8 bytes, both places relative.
func (v *verifier) knownTrampoline(r unit.Ref) bool {
	start, end := v.k.Run.Lookup("__start_static_call_tramp_key"), v.k.Run.Lookup("__stop_static_call_tramp_key")
	at, err := v.address(r.External)
	if err != nil || len(start) != 1 || len(end) != 1 || end[0].Addr < start[0].Addr {
		return false
	}
	table, ok := v.k.Run.Bytes(start[0].Addr, end[0].Addr-start[0].Addr)
	for off := 0; ok && off+8 <= len(table); off += 8 {
		if start[0].Addr+uint64(off)+uint64(int64(int32(binary.LittleEndian.Uint32(table[off:])))) == at.Addr {
			return true
		}
	}
	return false
}

// plain is the name in the kernel of what a reference of the module leads to.
func plain(r unit.Ref) string {
	if k, err := parseKlp(r.Name()); err == nil {
		return k.name
	}
	return r.Name()
}

// ofModule says whether a reference leads to what a patched module has, or one that it imports from.
func ofModule(r unit.Ref) bool {
	k, err := parseKlp(r.Name())
	return err == nil && k.object != vmlinux.Object
}
