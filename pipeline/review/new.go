package review

import (
	"cmp"
	"debug/elf"
	"fmt"
	"maps"
	"slices"
	"strings"

	"livesplice/kmod/diff"
	"livesplice/kmod/elfobj"
	"livesplice/kmod/link"
	"livesplice/kmod/livepatch"
	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// New collects what the page shows. An error is a fault of livesplice: all of it was read before.
func New(in Input) (*Page, error) {
	p := &Page{Manifest: in.Manifest, Kernel: in.Kernel, Notes: in.Notes, Files: in.Files, Timings: in.Timings}
	for i, patch := range in.Manifest.Patches {
		p.Diffs = append(p.Diffs, readPatch(patch.Name, patch.SHA256, in.Patches[i]))
	}
	places := functionsOf(in.Manifest)
	var addrs []uint64
	for _, s := range in.Plan.Splices {
		if s.Place.Object == vmlinux.Object {
			addrs = append(addrs, s.Place.Addr)
		}
	}
	var whole map[uint64]*Callers
	if in.Image.Machine == elf.EM_X86_64 {
		whole = fromImage(in.Image, addrs)
	}
	for i, u := range in.Units {
		verdicts := u.Diff.Report(u.Extract, nil)
		ru, err := newUnit(u, in.Manifest.Units[i], verdicts)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", u.Diff.Unit, err)
		}
		for j, f := range u.Extract.Functions {
			if f.Pre == nil && f.Post.Parent != nil {
				continue // shown with its function
			}
			rf, err := newFunction(u, f, verdicts)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", u.Diff.Unit, f.Post.Name, err)
			}
			if f.Pre != nil {
				s := splice(in.Plan, u.Extract.Functions[j].Entry.Name)
				rf.Object = s.Place.Object
				rf.Place = places[place{s.Place.Object, s.Place.Name, s.Place.SymPos}]
				rf.Callers = fromUnits(in.Units, u.Diff.Pre, f.Pre)
				if w := whole[s.Place.Addr]; w != nil && s.Place.Object == vmlinux.Object {
					rf.Callers = w.merge(rf.Callers)
				}
			}
			rf.Anchor = fmt.Sprintf("f%d-%d", i, j)
			ru.Functions = append(ru.Functions, *rf)
		}
		p.Units = append(p.Units, *ru)
	}
	if err := p.readModule(in.Module, in.Plan); err != nil {
		return nil, err
	}
	p.bound()
	return p, nil
}

// place names a function that is replaced.
type place struct {
	object, name string
	sympos       int
}

func functionsOf(m *livepatch.Manifest) map[place]*livepatch.Function {
	out := map[place]*livepatch.Function{}
	for _, o := range m.Objects {
		for i := range o.Functions {
			f := &o.Functions[i]
			out[place{o.Name, f.Name, f.SymPos}] = f
		}
	}
	return out
}

func splice(p *link.Plan, entry string) link.Splice {
	i := slices.IndexFunc(p.Splices, func(s link.Splice) bool { return s.Entry == entry })
	return p.Splices[i] // the plan has one for each function of the extract
}

// newUnit is a unit without its functions.
func newUnit(u link.Unit, m livepatch.Unit, verdicts *diff.Report) (*Unit, error) {
	out := &Unit{Unit: m}
	for _, f := range u.Match.Functions {
		out.Proofs = append(out.Proofs, Proof{Name: f.Name, Address: f.Address, Size: f.Size, Proof: string(f.Proof), By: f.By, Patched: f.Patched, Why: f.Why})
	}
	brought := map[string]bool{}
	for _, f := range u.Extract.Functions {
		brought[f.Post.Name] = true
	}
	others := func(kind string, items []diff.ItemReport) {
		for _, it := range items {
			if it.Verdict != diff.Unchanged && !(kind == "function" && brought[it.Name]) {
				out.Others = append(out.Others, Verdict{Kind: kind, Name: it.Name, Verdict: string(it.Verdict), Why: reasons(it, u)})
			}
		}
	}
	others("function", verdicts.Functions)
	others("datum", verdicts.Data)
	return out, out.readExtract(u)
}

// reasons tells why an item differs, or why the update does not bring it.
func reasons(it diff.ItemReport, u link.Unit) string {
	var words []string
	for _, w := range it.Why {
		words = append(words, w.Text())
	}
	if slices.Contains(u.Extract.Idle, it.Name) {
		words = append(words, "left out: nothing that changed calls it")
	}
	return strings.Join(words, "; ")
}

// newFunction is one function that the update brings.
func newFunction(u link.Unit, f diff.Carried, verdicts *diff.Report) (*Function, error) {
	pre := f.Pre
	out := &Function{Name: f.Post.Name, Kind: "replaced"}
	switch {
	case pre == nil && u.Diff.PreOf(f.Post) != nil:
		pre, out.Kind = u.Diff.PreOf(f.Post), "copy"
		out.Why = []string{"functions that are replaced call it, and calls to it cannot be redirected themselves"}
	case pre == nil:
		out.Kind, out.Why = "new", []string{"the patch adds it, or the compiler made it of what the patch changes"}
	}
	for _, it := range verdicts.Functions {
		if it.Name != f.Post.Name || it.Verdict == diff.Unchanged {
			continue
		}
		out.Source = relative(it.Source, u.Diff.Unit)
		for _, w := range it.Why {
			out.Why = append(out.Why, w.Text())
		}
	}
	was, err := newSide(&namer{unit: u.Diff.Pre}, pre)
	if err != nil {
		return nil, err
	}
	is, err := newSide(&namer{unit: u.Diff.Post, counterpart: u.Diff.PreOf}, f.Post)
	if err != nil {
		return nil, err
	}
	out.Was, out.Is, out.Parts = was.size(), is.size(), parts(u.Diff, was, is)
	return out, nil
}

// relative leaves of a place what is below the tree: the patched file was compiled from a folder of its own.
func relative(place, unit string) string {
	if i := strings.LastIndex(place, "/"+unit+":"); i >= 0 {
		return place[i+1:]
	}
	if i := strings.LastIndex(place, "/include/"); i >= 0 {
		return place[i+1:]
	}
	if strings.HasPrefix(place, "/") {
		return place[strings.LastIndex(place, "/")+1:]
	}
	return place
}

// readExtract lists the data and sections that the unit brings.
func (out *Unit) readExtract(u link.Unit) error {
	o := u.Extract.Obj
	for _, s := range o.Symbols {
		if s.Type == elf.STT_OBJECT && s.Section != nil {
			out.Data = append(out.Data, Datum{Name: s.Name, Section: s.Section.Name, Size: s.Size})
		}
	}
	entries, err := tableEntries(u)
	if err != nil {
		return err
	}
	for _, s := range o.Sections {
		if !s.Alloc() || s.Type == elf.SHT_RELA || s.Size() == 0 {
			continue
		}
		x := ExtractSection{Name: s.Name, Size: s.Size(), Kind: "constants", Entries: entries[s.Name]}
		switch {
		case x.Entries > 0 || u.Diff.Post.KnownSection(s.Name).Use == unit.Table:
			x.Kind = "table"
		case s.Exec():
			x.Kind = "code"
		case s.Flags&elf.SHF_WRITE != 0:
			x.Kind = "variables"
		case s.Strings():
			x.Kind = "strings"
		}
		out.Sections = append(out.Sections, x)
	}
	return nil
}

// tableEntries counts the entries of special sections that belong to functions that the unit brings.
func tableEntries(u link.Unit) (map[string]uint64, error) {
	tables, err := u.Diff.Post.Tables()
	if err != nil {
		return nil, err
	}
	out := map[string]uint64{}
	for _, f := range u.Extract.Functions {
		for _, e := range tables[f.Post] {
			out[e.Section.Name]++
		}
	}
	return out, nil
}

// readModule lists what the livepatch core resolves in the finished module.
func (p *Page) readModule(module []byte, plan *link.Plan) error {
	ko, err := elfobj.Read(module)
	if err != nil {
		return fmt.Errorf("module: %w", err)
	}
	known := map[string]link.Symbol{}
	for _, name := range slices.Sorted(maps.Keys(plan.Symbols)) { // constants may be reached by a symbol that is there for itself too
		s := plan.Symbols[name]
		known[s.Object+"."+s.Name+","+fmt.Sprint(s.SymPos)] = s
	}
	at := map[string]int{}
	for _, s := range ko.Sections {
		if s.Flags&elfobj.ShfRelaLivepatch == 0 {
			continue
		}
		p.Sections = append(p.Sections, ModuleSection{Name: s.Name, Count: len(s.Relocs)})
		for _, r := range s.Relocs {
			name := strings.TrimPrefix(r.Sym.Name, ".klp.sym.")
			i, seen := at[name]
			if !seen {
				k := known[name]
				i, at[name] = len(p.Late), len(p.Late)
				p.Late = append(p.Late, LateSymbol{Object: k.Object, Name: k.Name, SymPos: k.SymPos, Address: k.Addr, By: k.By, Patched: k.Patched})
			}
			p.Late[i].Uses++
		}
	}
	slices.SortFunc(p.Late, func(a, b LateSymbol) int {
		return cmp.Or(strings.Compare(a.Object, b.Object), strings.Compare(a.Name, b.Name), a.SymPos-b.SymPos)
	})
	return nil
}
