// Package match does run-pre matching: it locates the functions of a unit, compiled from the source as shipped (pre),
// in the shipped binary (run) by their bytes, and infers from the relocated fields there the address of every symbol
// that the unit refers to. Nothing is taken from names alone that bytes can prove. It is pure.
package match

import (
	"fmt"
	"sort"
	"strings"

	"livesplice/kmod/unit"
	"livesplice/kmod/vmlinux"
)

// Proof says how the place of a function was found.
type Proof string

// The proofs, strongest first.
const (
	// Strict: every byte outside relocated fields is equal, but for sites that objtool turns into nops.
	Strict Proof = "strict"
	// ByInsn: the same instructions in the same order with the same control flow; jumps have another length or loops
	// another padding, since the shipped function was compiled into one section with others.
	ByInsn Proof = "instruction"
	// None: not located.
	None Proof = "none"
)

// Reasons for which the shipped binary does not have a function of the unit.
const (
	// Overridden: the function is weak, and the link took another unit's definition.
	Overridden = "weak, overridden"
	// Discarded: exit code of what is built in, which the linker script drops.
	// Source: EXIT_TEXT and EXIT_CALL, include/asm-generic/vmlinux.lds.h, v6.1.
	Discarded = "discarded exit code"
)

// Function is what matching says of one function of the unit.
type Function struct {
	Name    string `json:"name"`
	Address uint64 `json:"address,omitempty"` // link-time address
	Size    uint64 `json:"size"`              // bytes in the shipped binary
	Proof   Proof  `json:"proof"`
	// By tells what singled the address out: "name" (the only symbol of its name that matches), "reference" (another
	// proven function or datum refers to it), "position" (the only match within the unit's stretch of the binary, or that
	// touches the function's neighbour).
	By string `json:"by,omitempty"`
	// Patched is the number of jump label and fentry sites where the binary holds a nop.
	Patched int `json:"patched,omitempty"`
	// Why explains None.
	Why string `json:"why,omitempty"`
	// Absent is the reason of the kernel's link for which a function is rightly not located: Overridden or Discarded.
	Absent string `json:"absent,omitempty"`

	item *unit.Item
}

// Result is the matching of one unit.
type Result struct {
	Unit      string     `json:"unit"`
	Target    string     `json:"target,omitempty"` // "vmlinux", or the module, when the caller says it
	Functions []Function `json:"functions"`
	Strict    int        `json:"strict"`
	ByInsn    int        `json:"instruction"`
	Unmatched int        `json:"unmatched"`

	m *matcher
}

// matcher is the work on one unit.
type matcher struct {
	unit       string
	pre        *unit.Unit
	run        Run
	special    unit.Tables
	jumpLabels map[*unit.Item][]label
	functions  []*function
	data       []*function // named data that refers to something
	byItem     map[*unit.Item]*function
	values     map[place]uint64 // proven addresses
	literals   map[*unit.Item]uint64
	conflicts  []Difference
}

// function is a function of pre with the addresses where it may be.
type function struct {
	item       *unit.Item
	candidates []*attempt
	found      *attempt
	by         string
	nearest    *Difference // of the candidate that agreed longest
	named      int         // symbols of its name in run
}

// Match locates the functions of pre in run. name is the unit's source file, for messages.
func Match(name string, pre *unit.Unit, run Run) (*Result, error) {
	if !pre.Arch.Matched() {
		return nil, fmt.Errorf("%s: objects of %v can be compared, but not matched with a shipped kernel yet", name, pre.Obj.Machine)
	}
	m := &matcher{unit: name, pre: pre, run: run, byItem: map[*unit.Item]*function{}, values: map[place]uint64{}, literals: map[*unit.Item]uint64{}}
	var err error
	if m.special, err = pre.Tables(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m.jumpLabels = jumpLabels(m.special)
	for _, it := range pre.Items {
		if it.Kind == unit.Function {
			f := m.locate(it)
			m.functions = append(m.functions, f)
		}
	}
	m.data = m.tables()
	m.solve()
	return m.result(), nil
}

// locate gives the candidates of a function. It is empty for one whose candidates are being tried.
func (m *matcher) locate(it *unit.Item) *function {
	if f := m.byItem[it]; f != nil {
		return f
	}
	m.byItem[it] = &function{item: it}
	m.byItem[it] = m.candidates(it)
	return m.byItem[it]
}

// candidates tries each symbol of the function's name.
func (m *matcher) candidates(it *unit.Item) *function {
	f := &function{item: it}
	tried := map[uint64]bool{}
	for _, s := range m.symbolsNamed(it) {
		if tried[s.Addr] {
			continue
		}
		tried[s.Addr] = true
		f.named++
		a, d := m.try(it, s.Addr)
		if d == nil {
			f.candidates = append(f.candidates, a)
		} else if diff := m.describe(it, s.Addr, d); f.nearest == nil || diff.Offset > f.nearest.Offset {
			f.nearest = diff
		}
	}
	return f
}

// try compares a function with run at an address, strictly first.
func (m *matcher) try(it *unit.Item, addr uint64) (*attempt, *difference) {
	a := m.attempt(addr)
	d := a.compare(it, addr)
	if d == nil {
		a.size = it.Size()
		return a, nil
	}
	b := m.attempt(addr)
	if other := b.compareInsns(it, addr); other != nil {
		if other.offset > d.offset {
			d = other
		}
		return b, d
	}
	return b, nil
}

func (m *matcher) attempt(addr uint64) *attempt {
	return &attempt{m: m, addr: addr, values: map[place]uint64{}, seen: map[seenKey]bool{}}
}

// symbolsNamed are the text symbols that can be the function. The number of a clone may differ between a build with
// sections and the shipped one.
func (m *matcher) symbolsNamed(it *unit.Item) []vmlinux.Symbol {
	var out []vmlinux.Symbol
	for _, y := range it.Syms {
		for _, s := range m.run.Lookup(y.Name) {
			if m.run.IsCode(s) {
				out = append(out, s)
			}
		}
	}
	return out
}

func (m *matcher) describe(it *unit.Item, addr uint64, d *difference) *Difference {
	out := &Difference{Unit: m.unit, Subject: it.Name, Address: addr, Offset: d.offset, Reason: d.reason}
	if d.insn {
		var start uint64
		out.Pre, start = disassemble(m.pre.Arch, it.Bytes(), d.offset, addr)
		if have, ok := m.run.Bytes(addr+start, min(it.Size()-start, 16)); ok {
			out.Run = m.pre.Arch.Disassemble(have, addr+start)
		}
	}
	return out
}

// solve pins functions with a single candidate, lets what they imply decide between the candidates of others, and goes
// on until nothing changes. What is left then is decided by position or not at all.
func (m *matcher) solve() {
	for changed := true; changed; {
		changed = false
		for _, f := range m.functions {
			if f.found != nil {
				continue
			}
			by := "name"
			if len(f.candidates) > 1 {
				by = "reference"
			}
			if m.narrow(f); len(f.candidates) == 1 {
				m.pin(f, f.candidates[0], by)
				changed = true
			}
		}
		changed = changed || m.pinTables() || m.byPosition() || m.byNeighbour()
	}
}

// narrow drops the candidates that contradict what is proven.
func (m *matcher) narrow(f *function) {
	if len(f.candidates) < 2 {
		return
	}
	var kept []*attempt
	for _, a := range f.candidates {
		known, ok := m.values[place{item: f.item}]
		fits := !ok || known == a.addr
		for p, v := range a.values {
			if known, ok := m.values[p]; ok && known != v {
				fits = false
			}
		}
		if fits {
			kept = append(kept, a)
		}
	}
	f.candidates = kept
}

func (m *matcher) pin(f *function, a *attempt, by string) {
	f.found, f.by = a, by
	for it, addr := range a.literals {
		if _, known := m.literals[it]; !known {
			m.literals[it] = addr
		}
	}
	m.value(f, place{item: f.item}, a.addr)
	for p, v := range a.values {
		m.value(f, p, v)
	}
}

func (m *matcher) value(f *function, p place, v uint64) {
	if known, ok := m.values[p]; ok && known != v {
		m.conflicts = append(m.conflicts, Difference{Unit: m.unit, Subject: f.item.Name, Address: f.found.addr,
			Reason: fmt.Sprintf("refers to %s at %#x, another function of the unit to %#x", p, v, known)})
		return
	}
	m.values[p] = v
}

// byPosition pins one function that has several equal candidates by the unit's stretch of the binary: the linker puts
// the code of one object, section by section, in one piece, so that between two proven functions of one input section
// everything is the unit's own.
func (m *matcher) byPosition() bool {
	spans := m.spans()
	for _, f := range m.functions {
		if f.found != nil || len(f.candidates) < 2 {
			continue
		}
		s := spans[stretch(f.item)]
		var inside []*attempt
		for _, a := range f.candidates {
			if a.addr > s.low && a.addr < s.high {
				inside = append(inside, a)
			}
		}
		if len(inside) == 1 {
			f.candidates = inside
			m.pin(f, inside[0], "position")
			return true
		}
	}
	return false
}

// span is where the first and the last function of an input section begin, of those that the unit alone defines.
type span struct{ low, high uint64 }

// spans gives them by input section.
func (m *matcher) spans() map[string]span {
	spans := map[string]span{}
	for _, f := range m.functions {
		if f.found == nil || f.item.Weak() {
			continue // a weak function can have been found in the unit whose definition overrides it
		}
		s, ok := spans[stretch(f.item)]
		if !ok {
			s.low = f.found.addr
		}
		spans[stretch(f.item)] = span{min(s.low, f.found.addr), max(s.high, f.found.addr)}
	}
	return spans
}

// stretch names the input section that a function is in when it is compiled without -ffunction-sections.
func stretch(it *unit.Item) string {
	name := it.Section.Name
	for _, prefix := range []string{".text.unlikely", ".text.hot", ".text.startup", ".text.exit"} {
		if name == prefix || strings.HasPrefix(name, prefix+".") { // not .text.hotplug, of a function hotplug()
			return prefix
		}
	}
	if strings.HasPrefix(name, ".text") {
		return ".text"
	}
	return name
}

func (m *matcher) result() *Result {
	r := &Result{Unit: m.unit, m: m}
	for _, f := range m.functions {
		out := Function{Name: f.item.Name, Size: f.item.Size(), Proof: None, item: f.item}
		switch {
		case f.found != nil:
			out.Address, out.Size, out.By, out.Patched = f.found.addr, f.found.size, f.by, f.found.relaxed
			if out.Proof = Strict; f.found.runAt != nil {
				out.Proof = ByInsn
				r.ByInsn++
			} else {
				r.Strict++
			}
		default:
			out.Why, out.Absent = m.explain(f).Reason, f.absent()
			r.Unmatched++
		}
		r.Functions = append(r.Functions, out)
	}
	sort.SliceStable(r.Functions, func(i, j int) bool { return r.Functions[i].Name < r.Functions[j].Name })
	return r
}

// explain says why a function is not located.
func (m *matcher) explain(f *function) Difference {
	d := Difference{Unit: m.unit, Subject: f.item.Name}
	switch {
	case f.absent() == Discarded:
		d.Reason = "discarded: built-in code has no exit functions"
	case f.named == 0:
		d.Reason = "the shipped binary has no function of this name"
	case len(f.candidates) > 1:
		d.Reason = fmt.Sprintf("%d functions of this name are equal to it, and nothing tells which is this one", len(f.candidates))
	case f.absent() == Overridden:
		d = *f.nearest
		d.Reason = "weak, and overridden by another definition: " + d.Reason
	case f.nearest != nil:
		return *f.nearest
	default:
		d.Reason = "contradicts what other functions of the unit refer to"
	}
	return d
}

// absent is the reason for which the link left a function out, "" for one that should have been located.
func (f *function) absent() string {
	switch {
	case f.named == 0 && strings.HasPrefix(f.item.Section.Name, ".exit."):
		return Discarded
	case f.item.Weak() && f.nearest != nil && len(f.candidates) == 0:
		return Overridden
	}
	return ""
}

// Located says where a function or datum of pre is, by proof; ok is false when it is not known.
func (r *Result) Located(it *unit.Item) (addr uint64, ok bool) {
	addr, ok = r.m.values[place{item: it}]
	return addr, ok
}

// Extern says where an external name is, as proven functions refer to it.
func (r *Result) Extern(name string) (addr uint64, ok bool) {
	addr, ok = r.m.values[place{extern: name}]
	return addr, ok
}
