package link

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/match"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// Kernel is what Verify asks of the shipped kernel.
type Kernel struct {
	Run      match.Run
	Export   func(name string) (vmlinux.Export, bool)
	Symvers  vmlinux.Symvers
	Vermagic string // of the shipped modules; "" leaves the check to the release alone
	Release  string
}

// Verify reads the finished module as the kernel will and holds it against what the compiler made of the patched
// source, not against what the makers of the module meant to do: every function that changed must be in the module's
// list under the name and position that matching proved; every instruction, relocated field, cold part and table entry
// must be that of post; each name must resolve, in the shipped tables, to the address that matching inferred. A module
// with a wrong addend or callee loads without complaint, so that this is the only place where it can be noticed.
func Verify(file []byte, units []Unit, k Kernel) error {
	ko, err := elfobj.Read(file)
	if err != nil {
		return fmt.Errorf("module: %w", err)
	}
	errs := []error{modinfo(ko, k), klpSections(ko)}
	errs = append(errs, versions(ko, k)...)
	Unsplit(ko)
	mod, err := unit.New(ko)
	if err != nil {
		return fmt.Errorf("module: %w", err)
	}
	v := &verifier{mod: mod, k: k, seen: map[[2]*unit.Item]bool{}}
	if v.tables, err = mod.Tables(); err != nil {
		return fmt.Errorf("module: %w", err)
	}
	list, err := v.functionList()
	if err != nil {
		return fmt.Errorf("module: %w", err)
	}
	for _, u := range units {
		errs = append(errs, v.unit(u, list)...)
	}
	for name := range list {
		if !list[name].used {
			errs = append(errs, fmt.Errorf("module: %s: replaced, though no unit changed it", list[name].name))
		}
	}
	return errors.Join(errs...)
}

type verifier struct {
	mod    *unit.Unit
	k      Kernel
	tables unit.Tables
	u      Unit
	u0     unit.Tables // of the unit's post
	seen   map[[2]*unit.Item]bool
}

// listed is one entry of the module's struct klp_func array.
type listed struct {
	name string
	pos  int
	new  *unit.Item
	used bool
}

// functionList reads the array of struct klp_func: old_name, new_func and old_sympos are its first three members.
//
// Source: include/linux/livepatch.h, v4.5 to v7.0.
func (v *verifier) functionList() (map[uint64]*listed, error) {
	const array, nameOff, funcOff, posOff = "livesplice_funcs_vmlinux", 0, 8, 16
	sym := v.mod.Obj.Symbol(array)
	it := v.mod.ItemOf(sym)
	if it == nil || it.Bytes() == nil {
		return nil, fmt.Errorf("no array %q", array)
	}
	refs, err := v.mod.Refs(it)
	if err != nil {
		return nil, err
	}
	n := len(refs) / 2
	if n == 0 || len(refs)%2 != 0 || it.Size()%uint64(n+1) != 0 {
		return nil, fmt.Errorf("array %q: %d references in %d bytes", array, len(refs), it.Size())
	}
	size := it.Size() / uint64(n+1)
	out := map[uint64]*listed{}
	for i := 0; i < n; i++ {
		name, fn, base := refs[2*i], refs[2*i+1], uint64(i)*size
		if name.Offset != base+nameOff || fn.Offset != base+funcOff || name.To == nil || fn.To == nil || fn.ToOffset != 0 {
			return nil, fmt.Errorf("array %q: entry %d: references at %#x and %#x", array, i, name.Offset, fn.Offset)
		}
		text := name.To.Bytes()[name.ToOffset:]
		l := &listed{name: string(text[:max(bytes.IndexByte(text, 0), 0)]), new: fn.To}
		l.pos = int(binary.LittleEndian.Uint64(it.Bytes()[base+posOff:]))
		s, err := v.symbol(l.name, l.pos)
		if err != nil {
			return nil, err
		}
		if out[s] != nil {
			return nil, fmt.Errorf("array %q: %s is listed twice", array, l.name)
		}
		out[s] = l
	}
	return out, nil
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
	case pos > len(all):
		return 0, fmt.Errorf("symbol %q: position %d of %d", name, pos, len(all))
	}
	return all[pos-1].Addr, nil
}

func (v *verifier) unit(u Unit, list map[uint64]*listed) (errs []error) {
	v.u = u
	var err error
	if v.u0, err = u.Diff.Post.Tables(); err != nil {
		return []error{err}
	}
	for _, post := range u.Diff.Replaced() {
		pre := u.Diff.PreOf(post)
		addr, ok := u.Match.Located(pre)
		l := list[addr]
		if !ok || l == nil {
			errs = append(errs, fmt.Errorf("%s: %s: changed, but the module replaces no function at %#x", u.Diff.Unit, post.Name, addr))
			continue
		}
		l.used = true
		if err := v.same(post, l.new); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", u.Diff.Unit, err))
		}
	}
	return errs
}

// same holds an item of post against one of the module.
func (v *verifier) same(post, mod *unit.Item) error {
	key := [2]*unit.Item{post, mod}
	if v.seen[key] {
		return nil
	}
	v.seen[key] = true
	if post.Kind == unit.Function && mod.Name != post.Name {
		return fmt.Errorf("%s: the module has %s in its place", post, mod)
	}
	a, err := v.u.Diff.Post.Refs(post)
	if err != nil {
		return err
	}
	b, err := v.mod.Refs(mod)
	if err != nil {
		return err
	}
	if err := v.sameBytes(post, post.Size(), post.Bytes(), mod.Size(), mod.Bytes(), a, b, v.nops(post)); err != nil {
		return err
	}
	if post.Kind != unit.Function {
		return nil
	}
	return v.sameTables(post, mod)
}

// nops are the jump labels of a function of post, where objtool may have put nops.
func (v *verifier) nops(post *unit.Item) map[uint64]bool {
	out := map[uint64]bool{}
	for _, e := range v.u0[post] {
		if e.Section.Name == "__jump_table" {
			out[uint64(e.Refs[0].ToOffset)] = true
		}
	}
	return out
}

func (v *verifier) sameBytes(in *unit.Item, na uint64, da []byte, nb uint64, db []byte, a, b []unit.Ref, nops map[uint64]bool) error {
	if na != nb || len(da) != len(db) {
		return fmt.Errorf("%s: %d bytes, in the module %d", in, na, nb)
	}
	skip := v.patched(da, db, nops)
	a, b = outside(a, skip), outside(b, skip)
	if len(a) != len(b) {
		return fmt.Errorf("%s: %d references, in the module %d", in, len(a), len(b))
	}
	for i, ref := range a {
		if b[i].Offset != ref.Offset || b[i].Type != ref.Type {
			return fmt.Errorf("%s: reference at %#x, in the module at %#x", in, ref.Offset, b[i].Offset)
		}
		for j := uint64(0); j < uint64(ref.Field.Size); j++ {
			skip[ref.Offset+j] = true
		}
		if err := v.sameTarget(in, ref, b[i]); err != nil {
			return fmt.Errorf("%s+%#x: %w", in, ref.Offset, err)
		}
	}
	for i := range da {
		if da[i] != db[i] && !skip[uint64(i)] {
			return fmt.Errorf("%s+%#x: byte %#02x, in the module %#02x", in, i, da[i], db[i])
		}
	}
	return nil
}

// patched marks the bytes of jump labels that objtool turned into nops of the same length.
func (v *verifier) patched(da, db []byte, nops map[uint64]bool) map[uint64]bool {
	skip := map[uint64]bool{}
	for off := range nops {
		a, ok := v.mod.Arch.Insn(da[off:])
		b, okMod := v.mod.Arch.Insn(db[off:])
		if ok && okMod && a.Jump && b.Nop && a.Len == b.Len {
			for j := uint64(0); j < uint64(a.Len); j++ {
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
func (v *verifier) sameTarget(from *unit.Item, post, mod unit.Ref) error {
	if post.Table != nil || mod.Table != nil {
		return fmt.Errorf("refers to a table")
	}
	if post.ToOffset != mod.ToOffset {
		return fmt.Errorf("leads to %s%+d, in the module %s%+d", name(post), post.ToOffset, name(mod), mod.ToOffset)
	}
	if mod.To != nil {
		return v.sameCarried(post, mod)
	}
	if v.u.Diff.MustCarry(post, from) {
		return fmt.Errorf("leads to %s, which the update has to bring, in the module out of it to %s", name(post), name(mod))
	}
	got, err := v.address(mod.External)
	if err != nil {
		return err
	}
	want, err := v.meant(post)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("leads to %s at %#x, in the module to %s at %#x", name(post), want, name(mod), got)
	}
	return nil
}

// sameCarried checks a reference that stays within the module.
func (v *verifier) sameCarried(post, mod unit.Ref) error {
	if post.To == nil {
		// A name of another unit of the update: a global that the update adds.
		if mod.To.Global() && mod.To.Name == post.External.Name {
			return nil
		}
		return fmt.Errorf("leads to %s, in the module to its own %s", name(post), name(mod))
	}
	if !v.u.Diff.MustCarry(post, post.To) && !diff.Fresh(post.To) {
		return fmt.Errorf("leads to %s of the running kernel, in the module to a copy", name(post))
	}
	return v.same(post.To, mod.To)
}

func name(r unit.Ref) string {
	if r.To != nil {
		return r.To.Name
	}
	return r.External.Name
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
	if !ok {
		return 0, fmt.Errorf("symbol %q: not exported by the shipped kernel", s.Name)
	}
	return e.Addr, nil
}

// meant is the address in the shipped kernel that a reference of post means.
func (v *verifier) meant(post unit.Ref) (uint64, error) {
	n := diff.Need{Name: name(post)}
	if post.To != nil {
		n.Pre = v.u.Diff.PreOf(post.To)
	}
	b, err := v.u.Match.Resolve(n)
	return b.Addr, err
}

func parseKlp(s string) (name string, pos int, err error) {
	rest, ok := strings.CutPrefix(s, ".klp.sym.vmlinux.")
	i := strings.LastIndexByte(rest, ',')
	if !ok || i < 1 {
		return "", 0, fmt.Errorf("symbol %q: not of the form .klp.sym.vmlinux.name,position", s)
	}
	pos, err = strconv.Atoi(rest[i+1:])
	return rest[:i], pos, err
}

// sameTables holds the table entries of a function of post against those in the module.
func (v *verifier) sameTables(post, mod *unit.Item) error {
	a, b := byTable(v.u0[post]), byTable(v.tables[mod])
	for _, table := range tableNames(a, b) {
		if len(a[table]) != len(b[table]) {
			return fmt.Errorf("%s: %d entries in %s, in the module %d", post, len(a[table]), table, len(b[table]))
		}
		for i, e := range a[table] {
			if err := v.sameEntry(post, e, b[table][i]); err != nil {
				return fmt.Errorf("%s: entry %d: %w", table, i, err)
			}
		}
	}
	return nil
}

func (v *verifier) sameEntry(post *unit.Item, a, b unit.Entry) error {
	ra, rb := a.Refs, b.Refs
	if ra[0].ToOffset != rb[0].ToOffset {
		return fmt.Errorf("%s+%#x, in the module %s+%#x", post, ra[0].ToOffset, post, rb[0].ToOffset)
	}
	// The first reference names the function itself, which is what is being compared.
	ra, rb = ra[1:], rb[1:]
	if a.Section.Name == ".altinstructions" {
		ra, rb = nil, nil
		x, y := a.Replacement, b.Replacement
		if err := v.sameBytes(post, x.End-x.Start, x.Data(), y.End-y.Start, y.Data(), x.Refs, y.Refs, nil); err != nil {
			return err
		}
	}
	own := func(r unit.Ref) bool { return r.To == post }
	for i := range ra {
		if own(ra[i]) {
			if rb[i].To != b.Refs[0].To || rb[i].ToOffset != ra[i].ToOffset {
				return fmt.Errorf("leads to %s%+d, in the module %s%+d", name(ra[i]), ra[i].ToOffset, name(rb[i]), rb[i].ToOffset)
			}
			continue
		}
		if err := v.sameTarget(post, ra[i], rb[i]); err != nil {
			return err
		}
	}
	skip := map[uint64]bool{}
	for _, r := range a.Refs {
		for j := uint64(0); j < uint64(r.Field.Size); j++ {
			skip[r.Offset+j] = true
		}
	}
	for i := range a.Data() {
		if a.Data()[i] != b.Data()[i] && !skip[uint64(i)] {
			return fmt.Errorf("%s: byte %d is %#02x, in the module %#02x", post, i, a.Data()[i], b.Data()[i])
		}
	}
	return nil
}

// byTable groups entries by table. Annotations for objtool are gone from a finished module, and objtool may have made
// the list of fentry calls anew.
func byTable(entries []unit.Entry) map[string][]unit.Entry {
	out := map[string][]unit.Entry{}
	for _, e := range entries {
		if name := e.Section.Name; !strings.HasPrefix(name, ".discard.") {
			out[name] = append(out[name], e)
		}
	}
	return out
}

func tableNames(maps ...map[string][]unit.Entry) []string {
	var out []string
	for _, m := range maps {
		for name := range m {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// klpSections checks the form of livepatch relocations and symbols: a symbol that is not reached through one would
// stay unresolved.
func klpSections(ko *elfobj.Object) error {
	for _, s := range ko.Sections {
		if s.Type != elf.SHT_RELA || !s.Applies.Alloc() {
			continue
		}
		klp := s.Flags&elfobj.ShfRelaLivepatch != 0
		if want := ".klp.rela.vmlinux." + s.Applies.Name; klp && s.Name != want {
			return fmt.Errorf("module: section %q: livepatch relocations of %q must be in %q", s.Name, s.Applies.Name, want)
		}
		for _, r := range s.Relocs {
			if r.Sym != nil && (r.Sym.Shndx == elfobj.ShnLivepatch) != klp {
				return fmt.Errorf("module: section %q: relocation to %q is in the wrong kind of section", s.Name, r.Sym)
			}
		}
	}
	return nil
}
