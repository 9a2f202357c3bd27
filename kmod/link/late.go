package link

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// lateReloc is a field that the livepatch core fills in when a patched module is there.
type lateReloc struct {
	in     *elfobj.Section
	offset uint64
	object string // the module
}

// lateRelocs are the fields that are resolved with modules, before Unsplit mixes them with others.
func lateRelocs(ko *elfobj.Object) (out []lateReloc) {
	for _, s := range ko.Sections {
		if object := patchedObject(s); s.Type == elf.SHT_RELA && object != "" && object != vmlinux.Object {
			for _, r := range s.Relocs {
				out = append(out, lateReloc{s.Applies, r.Offset, object})
			}
		}
	}
	return out
}

// lateOwners checks that each such field belongs to code or data of that module: another one may not be there yet when
// the code runs.
func (v *verifier) lateOwners() (errs []error) {
	for _, l := range v.late {
		it := v.mod.ItemAt(l.in, int64(l.offset))
		for p, piece := range v.pieces {
			if p.section == l.in && l.offset >= p.start && l.offset < p.start+p.size {
				it = piece
			}
		}
		if s := v.sideOf[it]; it == nil || s == nil || s.Target != l.object {
			errs = append(errs, fmt.Errorf("module: %s+%#x: resolved as %s is loaded, of which it is no part", l.in.Name, l.offset, l.object))
		}
	}
	return errs
}

// carriedEntries are the entries of special sections that the module must have for an item: all, but branches on static
// keys of the patched module, which the kernel reads before the key is known. Of those only tracepoints can be left
// out, and the branch must be a nop.
func (v *verifier) carriedEntries(s *side, post, mod *unit.Item) (out []unit.Entry, err error) {
	for _, e := range s.post[post] {
		late, err := v.lateKey(s, post, e)
		if err != nil {
			return nil, err
		}
		if !late {
			out = append(out, e)
			continue
		}
		at := e.Refs[0].ToOffset
		if at < 0 || at >= int64(len(mod.Bytes())) {
			return nil, fmt.Errorf("%s%+d: a branch outside of the function", post, at)
		}
		if insn, ok := v.mod.Arch.Insn(mod.Bytes()[at:]); !ok || !insn.Nop {
			return nil, fmt.Errorf("%s%+d: the branch on %s, which is not known as the update is loaded, is no nop in the module", post, at, e.Refs[len(e.Refs)-1].Name())
		}
	}
	return out, nil
}

// lateKey says whether an entry is a branch on the key of a tracepoint of a module.
func (v *verifier) lateKey(s *side, post *unit.Item, e unit.Entry) (bool, error) {
	if s.Target == vmlinux.Object || e.Section.Name != "__jump_table" {
		return false, nil
	}
	key := e.Refs[len(e.Refs)-1]
	if _, it := v.inside(s, post, key); it != nil {
		return false, nil
	}
	at, err := s.meant(key)
	if err != nil || at.Object == vmlinux.Object {
		return false, err
	}
	if !diff.TracepointKey(key) {
		return false, fmt.Errorf("%s: branches on the static key %s of module %s", post, key.Name(), s.Target)
	}
	return true, nil
}

// dropLateKeys takes the entries of __jump_table out of the linked module whose keys are known only with a patched module.
// It is done after objtool has seen them: that made the branches nops, and wrote unwind data for the code behind them.
func dropLateKeys(ko *elfobj.Object, p *Plan) error {
	sec := ko.Section("__jump_table")
	if sec == nil || sec.Rela == nil {
		return nil
	}
	u, err := unit.New(ko)
	if err != nil {
		return err
	}
	tables, err := u.Tables()
	if err != nil {
		return err
	}
	var gone []unit.Entry
	for _, entries := range tables {
		for _, e := range entries {
			key := e.Refs[len(e.Refs)-1].External
			if e.Section == sec && key != nil && p.Symbols[key.Name].Patched != "" && p.Symbols[key.Name].Patched != vmlinux.Object {
				gone = append(gone, e)
			}
		}
	}
	slices.SortFunc(gone, func(a, b unit.Entry) int { return cmp.Compare(b.Start, a.Start) })
	for _, e := range gone { // from the end, so that the places in front stay
		size := e.End - e.Start
		sec.Data = slices.Delete(slices.Clone(sec.Data), int(e.Start), int(e.End))
		var kept []elfobj.Reloc
		for _, r := range sec.Rela.Relocs {
			switch {
			case r.Offset >= e.End:
				r.Offset -= size
			case r.Offset >= e.Start:
				continue
			}
			kept = append(kept, r)
		}
		sec.Rela.Relocs = kept
	}
	return nil
}
