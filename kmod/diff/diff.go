// Package diff compares the object of one unit as shipped (pre) with the one made from the patched source (post) and
// extracts what changed. Both are compiled with a section for each function and datum. It is pure: the same objects
// give the same answer.
package diff

import (
	"fmt"
	"slices"
	"strings"

	"livesplice/kmod/elfobj"
	"livesplice/kmod/unit"
)

// Verdict says how an item of post relates to pre.
type Verdict string

// The verdicts.
const (
	Unchanged Verdict = "unchanged"
	Changed   Verdict = "changed"
	New       Verdict = "new"
	Removed   Verdict = "removed"
	Undecided Verdict = "undecided" // see Result.Undecided
)

// Change is the verdict on one function or datum.
type Change struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"` // "function" or "datum"
	Verdict Verdict `json:"verdict"`
	// Why tells for a changed function the first difference that was found: "code", "reference to X", ...
	Why string `json:"why,omitempty"`

	item   *unit.Item // of post; of pre when it was removed
	reason *Reason    // nil but for changed functions
}

// Result is what differs between the two objects of a unit.
type Result struct {
	Unit     string   `json:"unit"`
	Changes  []Change `json:"changes"` // changed, new and removed items in the order of post, then the removed ones
	Counts   Counts   `json:"counts"`
	Refusals Refusals `json:"refusals,omitempty"`
	Notes    []string `json:"notes,omitempty"` // what a reviewer should know, though it is no reason to refuse

	// OnlyLines names the functions that are taken for unchanged though they load other numbers, which the line tables of
	// both objects give as those of source lines. A number that happens to change by as much as its line moves is not told
	// from that: who has the sources can (Options.NotLines).
	OnlyLines []string `json:"only_lines,omitempty"`

	// Undecided says that an object holds what cannot be understood: there are refusals, and no verdicts.
	Undecided bool `json:"undecided,omitempty"`

	Options   Options    `json:"-"`
	Pre, Post *unit.Unit `json:"-"`
	cmp       *comparer
	// changed holds the functions of post that replace one of pre, split-off parts excepted; local those that changed
	// and are carried for callers that are replaced, because ftrace cannot redirect them.
	changed, local map[*unit.Item]bool
	// holders tells of functions and constants of post, which could be carried as copies but for it, who has their address.
	holders map[*unit.Item]string
	lost    []LostVariable
	unseen  []LostVariable
}

// Counts are numbers of functions.
type Counts struct {
	Functions int `json:"functions"`
	Unchanged int `json:"unchanged"`
	Changed   int `json:"changed"`
	New       int `json:"new"`
	Removed   int `json:"removed"`
}

// Options say what the objects alone do not.
type Options struct {
	// Module says that the unit is part of a module. Its exit code runs when the module is unloaded; that of what is built
	// in is not even linked.
	Module bool
	// InitOver says that changed init code of what is built in is no reason to refuse: it has run, and nobody asked for its
	// change but a header that other code reads too.
	InitOver bool
	// Freed says whether the shipped kernel frees sections of a name that others keep (unit.Section.InitIn), by what a unit, pre,
	// has in them; nil when the kernel is not known, and such sections then stay. Those of a module stay anyway, since their
	// names do not begin with .init. Source: kernel/module/main.c, module_init_section, v6.1.
	Freed func(pre *unit.Unit, section string) bool
	// Types are those of the shipped kernel, for the sizes of entries of its tables; nil when they are not known.
	Types unit.Types
	// ExactLines says that a function which loads another number is changed, even if the number may be that of a source
	// line. NotLines names functions of which the caller knows that theirs are none.
	ExactLines bool
	NotLines   map[string]bool
	// Dropped are variables, by function and name, of which the caller knows that the patched source has no static one; see
	// Result.Lost.
	Dropped map[[2]string]bool
	// Unwritten are variables, by function and name, of which the caller knows that nothing in the shipped source writes them;
	// see Result.Unseen.
	Unwritten map[[2]string]bool
}

// Compare gives the verdict on each item of the unit named name. Errors mean that an object could not be understood;
// a change that cannot be made live is a refusal in the result.
func Compare(name string, preObj, postObj *elfobj.Object, opts Options) (*Result, error) {
	if preObj.Machine != postObj.Machine {
		return nil, fmt.Errorf("%s: pre is an object of %v, post of %v", name, preObj.Machine, postObj.Machine)
	}
	r := &Result{Unit: name, Options: opts, changed: map[*unit.Item]bool{}, local: map[*unit.Item]bool{}, holders: map[*unit.Item]string{}}
	var err error
	if r.Pre, err = unit.New(preObj); err != nil {
		return nil, fmt.Errorf("%s: pre: %w", name, err)
	}
	if r.Post, err = unit.New(postObj); err != nil {
		return nil, fmt.Errorf("%s: post: %w", name, err)
	}
	r.Pre.Types, r.Post.Types = opts.Types, opts.Types
	r.markFreed()
	r.cmp = &comparer{opts: opts, onlyLines: map[*unit.Item]bool{}, special: map[*unit.Unit]unit.Tables{}, fresh: map[[2]*unit.Item]bool{}, lineTexts: map[[2]*unit.Item]bool{}}
	r.cmp.correlation = &correlation{}
	if r.undecided() {
		return r, nil
	}
	if r.cmp.correlation, err = correlate(r.Pre, r.Post); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, u := range []*unit.Unit{r.Pre, r.Post} {
		if r.cmp.special[u], err = u.Tables(); err != nil && !r.unknownTable(err) {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if r.Undecided {
		return r, nil
	}
	if err := r.constants(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := r.code(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := r.data(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.sameNames()
	if err := r.splitAliases(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.lostVariables()
	r.scopeNotes()
	r.renamedVariables()
	if err := r.renamedConstants(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.exchangedVariables()
	if err := r.removedCallers(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.linesOnly()
	r.Refusals.Sort()
	return r, nil
}

// linesOnly names the functions that count as unchanged though they load other numbers.
func (r *Result) linesOnly() {
	if len(r.cmp.onlyLines) == 0 {
		return
	}
	same := r.Unchanged()
	for it := range r.cmp.onlyLines {
		if slices.Contains(same, it.Name) && !slices.Contains(r.OnlyLines, it.Name) {
			r.OnlyLines = append(r.OnlyLines, it.Name)
		}
	}
	if slices.Sort(r.OnlyLines); len(r.OnlyLines) > 0 {
		r.note("nothing but numbers of source lines differs in %s", strings.Join(r.OnlyLines, ", "))
	}
}

// Unchanged names the functions of post that are as in pre, split-off parts among them.
func (r *Result) Unchanged() (names []string) {
	changed := map[string]bool{}
	for _, ch := range r.Changes {
		changed[ch.Name] = ch.Verdict != Unchanged
	}
	for _, it := range r.Post.Items {
		if it.Kind == unit.Function && !changed[it.Name] {
			names = append(names, it.Name)
		}
	}
	return names
}

// PreOf gives the counterpart in pre of an item of post, or nil.
func (r *Result) PreOf(post *unit.Item) *unit.Item { return r.cmp.preOf[post] }

// Replaced gives the functions of post that take the place of one of pre, in the order of post.
func (r *Result) Replaced() []*unit.Item {
	var out []*unit.Item
	for _, it := range r.Post.Items {
		if r.changed[it] {
			out = append(out, it)
		}
	}
	return out
}

// code compares the functions, once more where scopes and types show that variables are others than names and users say.
func (r *Result) code() error {
	refusals, notes := len(r.Refusals), len(r.Notes)
	if err := r.functions(); err != nil || !r.settleVariables() {
		return err
	}
	r.Changes, r.Counts, r.Refusals, r.Notes = nil, Counts{}, r.Refusals[:refusals], r.Notes[:notes]
	for _, m := range []map[*unit.Item]bool{r.changed, r.local, r.cmp.onlyLines} {
		clear(m)
	}
	r.cmp.equal = nil
	clear(r.cmp.fresh)
	clear(r.cmp.lineTexts)
	return r.functions()
}

func (r *Result) functions() error {
	why := map[*unit.Item]*Reason{}
	for _, it := range r.Post.Items {
		if it.Kind != unit.Function || r.PreOf(it) == nil {
			continue
		}
		w, err := r.whyChanged(r.PreOf(it), it)
		if err != nil {
			return err
		}
		if w == nil {
			continue
		}
		why[it] = w
		// A function and the part split off it are one: replacing either replaces both.
		for p := it.Parent; p != nil; p = p.Parent {
			if why[p] == nil {
				why[p] = &Reason{Because: PartChanged, Of: it.Name}
			}
		}
	}
	if err := r.replaceCallers(why); err != nil {
		return err
	}
	for _, it := range r.Post.Items {
		if it.Kind != unit.Function {
			continue
		}
		r.Counts.Functions++
		switch pre := r.PreOf(it); {
		case pre == nil:
			r.Counts.New++
			r.Changes = append(r.Changes, Change{Name: it.Name, Kind: "function", Verdict: New, item: it})
		case why[it] != nil:
			r.Counts.Changed++
			r.Changes = append(r.Changes, Change{Name: it.Name, Kind: "function", Verdict: Changed, Why: why[it].String(), item: it, reason: why[it]})
			if exitCode(pre) && !r.Options.Module {
				r.note("%s changed: exit code of what is built in never runs", it.Name)
				continue
			}
			if r.Options.InitOver && !r.Options.Module && bootOnly(pre) {
				r.note("%s changed: init code, which has run and is left as it was", it.Name)
				continue
			}
			if it.Parent == nil && !r.local[it] {
				r.changed[it] = true
				r.checkReplaceable(pre, it)
			}
		default:
			r.Counts.Unchanged++
			if r.neverRuns(pre) && !r.neverRuns(it) {
				r.refuse(InitCode, pre, "it is in "+pre.Section.Name+", which the running kernel has freed or never had, and in "+it.Section.Name+" of the patched one, where later code can call it",
					"leave this part to the next reboot: take it out of the patch")
			}
		}
	}
	return nil
}

// checkReplaceable refuses functions that livepatch cannot redirect, and those of which the patch says so: what must not be
// traced would be called by the tracer.
func (r *Result) checkReplaceable(pre, post *unit.Item) {
	if pre.Weak() {
		r.note("function %s is weak: whether this definition is the one in the kernel is for matching to show", pre.Name)
	}
	switch sec := pre.Section.Name; {
	case exitCode(pre):
		r.refuse(ExitCode, pre, "code in "+sec+" of a module changed, which runs once, when the module is unloaded, and which ftrace cannot redirect",
			"take this part out of the patch; it takes effect with the module's next version")
	case bootOnly(pre):
		r.refuse(InitCode, pre, "code in "+sec+" changed, which a running kernel no longer executes or has freed",
			"leave this part to the next reboot: take it out of the patch")
	case sec == ".noinstr.text" || sec == ".entry.text" || sec == ".cpuidle.text" && !r.hasFentry(r.Pre, pre):
		r.refuse(NoInstr, pre, "the function is in "+sec+", where tracing and so livepatch are not allowed",
			"change its callers instead, or reboot into a fixed kernel")
	case strings.HasPrefix(post.Section.Name, ".noinstr.text"):
		r.refuse(NoInstr, pre, "the patch puts the function into "+post.Section.Name+", where tracing is not allowed, and livepatch would redirect it by tracing the one that is not there",
			"change its callers instead, or reboot into a fixed kernel")
	case !r.hasFentry(r.Pre, pre):
		r.refuse(NoFentry, pre, noFentry(r.Pre, pre)+r.notThroughCallers(post),
			"change its callers instead, or reboot into a fixed kernel")
	case !r.hasFentry(r.Post, post):
		r.refuse(NoFentry, pre, "the patch takes the function's fentry call away (notrace), and livepatch would redirect it by tracing it all the more"+r.notThroughCallers(post),
			"change its callers instead, or reboot into a fixed kernel")
	}
}

func (r *Result) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
	}
}

func (r *Result) change(it *unit.Item, v Verdict) {
	r.Changes = append(r.Changes, Change{Name: it.Name, Kind: "datum", Verdict: v, item: it})
}

func (r *Result) refuse(code Code, pre *unit.Item, reason, remedy string) {
	r.Refusals = append(r.Refusals, Refusal{Code: code, Unit: r.Unit, Subject: pre.Name, Source: r.Pre.Source(pre), Reason: reason, Remedy: remedy})
}

func (r *Result) refusePost(code Code, post *unit.Item, reason, remedy string) {
	r.Refusals = append(r.Refusals, Refusal{Code: code, Unit: r.Unit, Subject: post.Name, Source: r.Post.Source(post), Reason: reason, Remedy: remedy})
}

// Touched gives the functions of pre that the update changes, whether they are replaced themselves or through their
// callers; split-off parts excepted where their function is among them.
func (r *Result) Touched() []*unit.Item {
	var out []*unit.Item
	for _, it := range r.Post.Items {
		if r.changed[it] || r.local[it] {
			pre := r.PreOf(it)
			out = append(out, pre)
			out = append(out, pre.Children...)
		}
	}
	return out
}
