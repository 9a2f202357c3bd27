package diff

import (
	"slices"

	"livesplice/kmod/unit"
)

// ReportFormat is the number of the JSON format of Report. It changes when a field is renamed, removed or gets another
// meaning; fields can be added without.
const ReportFormat = 1

// Report is what livesplice diff --json prints: the verdict on each function and datum of a pair of objects.
// docs/diff-json.md describes it.
type Report struct {
	Format  int    `json:"format"`
	Machine string `json:"machine"` // as uname -m says: "x86_64", "aarch64", "ppc64le", "s390x", "loongarch64"
	// Result is "unchanged", "changed", or "refused".
	Result    string       `json:"result"`
	Counts    ReportCounts `json:"counts"`
	Functions []ItemReport `json:"functions"` // in the order of post, then those that were removed
	Data      []ItemReport `json:"data"`      // the same
	Refusals  []Refusal    `json:"refusals"`
	// Forced says that the change was extracted in spite of the refusals.
	Forced bool     `json:"forced,omitempty"`
	Notes  []string `json:"notes"`
	// Extract is what -o writes; nil when the change is refused or there is none.
	Extract *ExtractReport `json:"extract,omitempty"`
}

// ReportCounts are numbers of items by verdict.
type ReportCounts struct {
	Functions map[Verdict]int `json:"functions"`
	Data      map[Verdict]int `json:"data"`
}

// ItemReport is the verdict on one function or datum.
type ItemReport struct {
	Name    string   `json:"name"` // the first symbol's; for data without a symbol section and offset
	Verdict Verdict  `json:"verdict"`
	Section string   `json:"section"` // of post; of pre when it was removed
	Size    uint64   `json:"size"`    // bytes, the same
	PartOf  string   `json:"part_of,omitempty"`
	Source  string   `json:"source,omitempty"` // file:line of its declaration, when debug information has it; not for unchanged ones
	Why     []Reason `json:"why,omitempty"`    // the first difference first; for changed ones only
}

// ExtractReport tells the symbols of the object that -o writes.
type ExtractReport struct {
	// Replaced are the functions that take the place of one of pre, and where each is in the object.
	Replaced []ReplacedSymbol `json:"replaced"`
	// Carried are the other functions in it: new ones, cold parts, and copies that replaced ones call.
	Carried []string `json:"carried"`
	// Left are the new functions that are not in it, since nothing in it refers to them.
	Left []string `json:"left"`
	// Needs are its undefined symbols.
	Needs []NeededSymbol `json:"needs"`
}

// ReplacedSymbol is a replaced function in the extracted object.
type ReplacedSymbol struct {
	Function string `json:"function"` // of pre
	Symbol   string `json:"symbol"`   // global symbol at the new function
}

// NeededSymbol is an undefined symbol of the extracted object.
type NeededSymbol struct {
	Symbol string `json:"symbol"`
	// Name is what it stands for: a symbol of another unit, or, where Local is true, an item of pre itself, which no
	// other unit can name.
	Name  string `json:"name"`
	Local bool   `json:"local"`
}

// Report gives the public form of the result. x is what Extract gave for it, or nil; refused what is refused, or would have
// been.
func (r *Result) Report(x *Extract, refused Refusals) *Report {
	rep := &Report{Format: ReportFormat, Machine: r.Post.Arch.Machine(), Result: "unchanged", Refusals: []Refusal{}, Notes: []string{},
		Counts: ReportCounts{Functions: map[Verdict]int{}, Data: map[Verdict]int{}}, Functions: []ItemReport{}, Data: []ItemReport{}}
	rep.Refusals = append(rep.Refusals, refused...)
	rep.Notes = append(rep.Notes, r.Notes...)
	for _, v := range []Verdict{Unchanged, Changed, New, Removed} {
		rep.Counts.Functions[v], rep.Counts.Data[v] = 0, 0
	}
	for _, it := range r.verdicts() {
		if it.kind == unit.Function {
			rep.Functions = append(rep.Functions, it.ItemReport)
			rep.Counts.Functions[it.Verdict]++
		} else {
			rep.Data = append(rep.Data, it.ItemReport)
			rep.Counts.Data[it.Verdict]++
		}
		if it.Verdict != Unchanged {
			rep.Result = "changed"
		}
	}
	switch {
	case len(refused) > 0 && (x == nil || rep.Result == "unchanged"):
		rep.Result = "refused"
	case x != nil && rep.Result == "changed":
		rep.Extract = x.report()
		rep.Forced = len(refused) > 0
	}
	return rep
}

// Differs says whether any function or datum has another verdict than unchanged.
func (r *Report) Differs() bool { return r.Result != "unchanged" }

func (x *Extract) report() *ExtractReport {
	e := &ExtractReport{Replaced: []ReplacedSymbol{}, Carried: []string{}, Left: append([]string{}, x.Idle...), Needs: []NeededSymbol{}}
	for _, f := range x.Functions {
		if f.Pre != nil {
			e.Replaced = append(e.Replaced, ReplacedSymbol{Function: f.Pre.Name, Symbol: f.Entry.Name})
		} else {
			e.Carried = append(e.Carried, f.Post.Name)
		}
	}
	for _, n := range x.Needs {
		e.Needs = append(e.Needs, NeededSymbol{Symbol: n.Sym.Name, Name: n.Name, Local: n.Pre != nil && !n.Pre.Global()})
	}
	return e
}

// itemVerdict is an item's report and its kind.
type itemVerdict struct {
	ItemReport
	kind unit.Kind
}

// verdicts gives the verdict on each function and named datum, and on unnamed data that changed. Literals are part of
// what refers to them.
func (r *Result) verdicts() []itemVerdict {
	changes := map[*unit.Item]Change{}
	for _, c := range r.Changes {
		changes[c.item] = c
	}
	copies := map[*unit.Item]Verdict{}
	if !r.Undecided {
		copies = r.freshVerdicts()
	}
	var out []itemVerdict
	add := func(u *unit.Unit, it *unit.Item, gone bool) {
		v := itemVerdict{kind: it.Kind, ItemReport: ItemReport{Name: it.Name, Verdict: Unchanged, Section: it.Section.Name, Size: it.Size()}}
		c, known := changes[it]
		switch {
		case known:
			v.Verdict = c.Verdict
		case r.Undecided && gone:
			return
		case r.Undecided && (it.Kind == unit.Function || it.Kind == unit.Datum):
			v.Verdict = Undecided
		case it.Kind == unit.Anonymous || it.Kind == unit.Literal || u.KnownSection(it.Section.Name).Use == unit.Dropped:
			return
		case copies[it] != "":
			v.Verdict = copies[it]
		case gone:
			return
		}
		if it.Parent != nil {
			v.PartOf = it.Parent.Name
		}
		if v.Verdict != Unchanged {
			v.Source = u.Source(it)
		}
		if v.Verdict == Changed {
			v.Why = r.why(it, c)
		}
		out = append(out, v)
	}
	for _, it := range r.Post.Items {
		add(r.Post, it, false)
	}
	for _, it := range r.Pre.Items {
		add(r.Pre, it, true)
	}
	if !r.Undecided {
		out = append(out, r.commonVerdicts()...)
	}
	return out
}

// why gives the reasons for which an item of post differs from its counterpart.
func (r *Result) why(it *unit.Item, c Change) []Reason {
	pre := r.PreOf(it)
	if pre == nil {
		return nil
	}
	if it.Kind == unit.Function {
		return r.reasons(pre, it, c.reason)
	}
	if was, is := storageOf(pre), storageOf(it); was != is {
		return []Reason{{Because: Moved, Detail: string(was) + " became " + string(is)}}
	}
	if pre.Size() != it.Size() {
		return []Reason{{Because: SizeChanged}}
	}
	a, b, err := r.cmp.refs(pre, it)
	if err == nil && len(a) == len(b) && r.cmp.equalOutside(pre.Bytes(), it.Bytes(), a) {
		for i := range a {
			if !r.cmp.references(a[i:i+1], b[i:i+1]) {
				return []Reason{{Because: OtherReference, Of: b[i].Name(), At: &b[i].Offset}}
			}
		}
	}
	x, y := pre.Bytes(), it.Bytes()
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			at := uint64(i)
			return []Reason{{Because: ContentChanged, At: &at}}
		}
	}
	return []Reason{{Because: ContentChanged}}
}

// freshVerdicts gives verdicts on the data that macros and the compiler make at each place of use, for which no single
// counterpart is looked for: unchanged while the other object has an equal one of the name.
func (r *Result) freshVerdicts() map[*unit.Item]Verdict {
	byBase := func(u *unit.Unit) map[string][]*unit.Item {
		m := map[string][]*unit.Item{}
		for _, it := range u.Items {
			if it.Kind == unit.Datum && Fresh(it) {
				m[freshBase(it.Name)] = append(m[freshBase(it.Name)], it)
			}
		}
		return m
	}
	out := map[*unit.Item]Verdict{}
	pre, post := byBase(r.Pre), byBase(r.Post)
	for base, items := range post {
		left := slices.Clone(pre[base])
		for _, it := range items {
			i := slices.IndexFunc(left, func(p *unit.Item) bool { return r.cmp.sameFresh(p, it) })
			if i < 0 {
				out[it] = New
				continue
			}
			out[it] = Unchanged
			left = slices.Delete(left, i, i+1)
		}
		pre[base] = left
	}
	for _, items := range pre {
		for _, it := range items {
			out[it] = Removed
		}
	}
	return out
}
