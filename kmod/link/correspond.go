package link

import (
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// same holds an item of post against one of the module, and from there everything that both lead to.
func (v *verifier) same(s *side, post, mod *unit.Item) error {
	if known := v.home[post]; known == mod {
		return nil
	} else if known != nil && post.Kind != unit.Literal {
		return fmt.Errorf("%s: is twice in the module, at %s+%#x and %s+%#x", post, known.Section.Name, known.Start, mod.Section.Name, mod.Start)
	}
	if other := v.back[mod]; other != nil && post.Kind != unit.Literal {
		return fmt.Errorf("%s: the module has %s in its place, which is %s", post, mod, other)
	}
	v.home[post], v.back[mod], v.sideOf[mod] = mod, post, s
	if err := sameKind(post, mod); err != nil {
		return err
	}
	if n, m := s.Diff.Post.Prefix(post), v.mod.Prefix(mod); n != m {
		return fmt.Errorf("%s: %d bytes of padding in front, in the module %d", post, n, m)
	}
	a, err := s.Diff.Post.Refs(post)
	if err != nil {
		return err
	}
	b, err := v.mod.Refs(mod)
	if err != nil {
		return err
	}
	if err := v.sameBytes(s, post, post.Bytes(), mod.Bytes(), a, b, s.jumpLabels(post)); err != nil {
		return err
	}
	return v.sameTables(s, post, mod)
}

// sameKind compares names and where the kernel will put the two.
func sameKind(post, mod *unit.Item) error {
	perCPU := func(it *unit.Item) bool { return strings.HasPrefix(it.Section.Name, ".data..percpu") }
	switch sec := mod.Section.Name; {
	case len(post.Syms) > 0 && mod.Name != post.Name:
		return fmt.Errorf("%s: the module has %s in its place", post, mod)
	case post.Size() != mod.Size():
		return fmt.Errorf("%s: %d bytes, in the module %d", post, post.Size(), mod.Size())
	case post.Section.Exec() != mod.Section.Exec(), post.Writable() && !mod.Writable():
		return fmt.Errorf("%s: from section %s, in the module in %s, which has other rights", post, post.Section.Name, sec)
	case perCPU(post) != perCPU(mod), perCPU(mod) && sec != ".data..percpu":
		return fmt.Errorf("%s: from section %s, in the module in %s, of which there is one copy for all CPUs or one for each", post, post.Section.Name, sec)
	case strings.HasPrefix(sec, ".init."), strings.HasPrefix(sec, ".exit."):
		return fmt.Errorf("%s: in section %s of the module, which the kernel frees", post, sec)
	case mod.Section.Align < alignment(post), mod.Start%alignment(post) != 0:
		return fmt.Errorf("%s: aligned to %d, in the module at %#x of a section aligned to %d", post, alignment(post), mod.Start, mod.Section.Align)
	}
	return nil
}

// alignment is what an item is aligned to for certain: as much as its section and its place there say.
func alignment(it *unit.Item) uint64 {
	a := max(it.Section.Align, 1)
	for a > 1 && it.Start%a != 0 {
		a /= 2
	}
	return a
}

// sameBytes compares content outside relocated fields, and the fields by what they lead to. Jump labels may be nops.
func (v *verifier) sameBytes(s *side, in *unit.Item, da, db []byte, a, b []unit.Ref, labels []uint64) error {
	if len(da) != len(db) {
		return fmt.Errorf("%s: %d bytes of content, in the module %d", in, len(da), len(db))
	}
	skip := v.nops(da, db, labels)
	a, b = outside(a, skip), outside(b, skip)
	if len(a) != len(b) {
		return fmt.Errorf("%s: %d references, in the module %d", in, len(a), len(b))
	}
	for i, ref := range a {
		if b[i].Offset != ref.Offset || b[i].Type != ref.Type {
			return fmt.Errorf("%s: reference of type %d at %#x, in the module of type %d at %#x", in, ref.Type, ref.Offset, b[i].Type, b[i].Offset)
		}
		if err := v.sameTarget(s, in, ref, b[i]); err != nil {
			return fmt.Errorf("%s+%#x: %w", in, ref.Offset, err)
		}
	}
	return sameOutside(in, da, db, a, skip)
}

// sameOutside compares bytes that no reference fills in.
func sameOutside(in *unit.Item, da, db []byte, refs []unit.Ref, skip map[uint64]bool) error {
	for _, r := range refs {
		for j := range uint64(r.Field.Size) {
			skip[r.Offset+j] = true
		}
	}
	for i := range da {
		if da[i] != db[i] && !skip[uint64(i)] {
			return fmt.Errorf("%s+%#x: byte %#02x, in the module %#02x", in, i, da[i], db[i])
		}
	}
	return nil
}

// jumpLabels are the places in an item of post where objtool may put nops.
func (s *side) jumpLabels(post *unit.Item) (out []uint64) {
	for _, e := range s.post[post] {
		if off := e.Refs[0].ToOffset; e.Section.Name == "__jump_table" && off >= 0 && off < int64(post.Size()) {
			out = append(out, uint64(off))
		}
	}
	return out
}

// nops marks the bytes of jump labels that objtool turned into nops of the same length.
func (v *verifier) nops(da, db []byte, labels []uint64) map[uint64]bool {
	skip := map[uint64]bool{}
	for _, off := range labels {
		a, ok := v.mod.Arch.Insn(da[off:])
		b, okMod := v.mod.Arch.Insn(db[off:])
		if ok && okMod && a.Jump && b.Nop && a.Len == b.Len {
			for j := range uint64(a.Len) {
				skip[off+j] = true
			}
		}
	}
	return skip
}

func outside(refs []unit.Ref, skip map[uint64]bool) []unit.Ref {
	return slices.DeleteFunc(slices.Clone(refs), func(r unit.Ref) bool { return skip[r.Offset] })
}

// sameTarget says whether a reference of the module leads to what the reference of post means.
func (v *verifier) sameTarget(s *side, from *unit.Item, post, mod unit.Ref) error {
	if post.Table != nil && mod.Table != nil {
		return v.sameEntryPlace(s, post, mod)
	}
	if post.Table != nil || mod.Table != nil {
		return fmt.Errorf("leads to %s%+d, in the module to %s%+d", post.Name(), post.ToOffset, mod.Name(), mod.ToOffset)
	}
	// Linux 7.2 links the literals of a module among its constants, into a section that is no more one of strings.
	// Source: scripts/module.lds.S, v6.12 and v7.2.
	if post.To != nil && mod.To != nil && mod.To.Kind == unit.Anonymous && (post.To.Kind == unit.Anonymous || post.To.Kind == unit.Literal) {
		it, err := v.piece(mod.To.Section, int64(mod.To.Start)+mod.ToOffset-post.ToOffset, post.To.Size())
		if err != nil {
			return fmt.Errorf("leads to %s%+d, in the module to %s%+d: %w", post.Name(), post.ToOffset, mod.Name(), mod.ToOffset, err)
		}
		return v.same(s, post.To, it)
	}
	if mod.To == nil && post.To != nil && constant(s, post.To) {
		return v.sameShipped(s, post, mod)
	}
	if post.ToOffset != mod.ToOffset {
		return fmt.Errorf("leads to %s%+d, in the module to %s%+d", post.Name(), post.ToOffset, mod.Name(), mod.ToOffset)
	}
	if in, it := v.inside(s, from, post); it != nil {
		if mod.To == nil {
			return fmt.Errorf("leads to %s, which the update has to bring, in the module out of it to %s", post.Name(), mod.Name())
		}
		return v.same(in, it, mod.To)
	}
	if mod.To != nil {
		return fmt.Errorf("leads to %s of the running kernel, in the module to its own %s", post.Name(), mod.Name())
	}
	got, err := v.address(mod.External)
	if err != nil {
		return err
	}
	want, err := s.meant(post)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("leads to %s of %s at %#x, in the module to %s of %s at %#x", post.Name(), want.Object, want.Addr, mod.Name(), got.Object, got.Addr)
	}
	return nil
}

// sameEntryPlace says whether two references lead to the same entry of a table: that of the same rank among those of
// the same owner.
func (v *verifier) sameEntryPlace(s *side, post, mod unit.Ref) error {
	a, i, inA := s.post.Find(post.Table, post.ToOffset)
	b, j, inB := v.tables.Find(mod.Table, mod.ToOffset)
	if a == nil || b == nil || v.home[a] != b || i != j || inA != inB || post.Table.Name != mod.Table.Name {
		return fmt.Errorf("leads to entry %d of %s in %s, in the module to entry %d of %s in %s", i, a, post.Table.Name, j, b, mod.Table.Name)
	}
	return nil
}

// piece gives a range of a section of the module as an item. Nothing shows in the module where one unnamed item ends and
// the next begins.
func (v *verifier) piece(sec *elfobj.Section, start int64, size uint64) (*unit.Item, error) {
	if start < 0 || uint64(start) > sec.Size() || size > sec.Size()-uint64(start) {
		return nil, fmt.Errorf("%d bytes at %#x are outside of section %q", size, start, sec.Name)
	}
	key := span{sec, uint64(start), size}
	it := v.pieces[key]
	if it == nil {
		it = &unit.Item{Kind: unit.Anonymous, Name: fmt.Sprintf("%s+%#x", sec.Name, start), Section: sec, Start: uint64(start), End: uint64(start) + size}
		v.pieces[key] = it
	}
	return it, nil
}

// span is a range of a section.
type span struct {
	section     *elfobj.Section
	start, size uint64
}

// inside gives the item that the module must hold itself for a reference of post from an item that it holds; nil when
// the reference must lead to what the running kernel has.
func (v *verifier) inside(s *side, from *unit.Item, ref unit.Ref) (*side, *unit.Item) {
	it := ref.To
	if it == nil {
		g := v.globals[ref.External.Name]
		return g.side, g.item
	}
	own := false
	switch {
	case s.Diff.PreOf(it) == nil, diff.Fresh(it), it.Kind != unit.Function && it.Kind != unit.Datum:
		own = true // there is no other, or it is not to be shared
	case it.Kind == unit.Datum:
	case it != root(it), s.local[root(it)]:
		own = true
	case s.replaced[it], it == root(from):
		// A pointer to a function must equal those that the kernel holds already; a place inside of it is of the code
		// that names it.
		own = ref.Direct || ref.ToOffset != 0
	}
	if own {
		return s, it
	}
	return nil, nil
}

// meant is the place in the shipped kernel that a reference of post means.
func (s *side) meant(post unit.Ref) (vmlinux.At, error) {
	n := diff.Need{Name: post.Name()}
	if post.To != nil {
		n.Pre = s.Diff.PreOf(post.To)
	}
	b, err := s.Match.Resolve(n)
	return b.At(), err
}
