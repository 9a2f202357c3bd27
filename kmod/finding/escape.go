package finding

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"

	"livesplice/kmod/unit"
)

// Held is a function or datum of an update whose address a function of it gives away: somebody may come back to it after
// nothing leads to the update's functions any more.
type Held struct {
	Item   *unit.Item
	In     *unit.Item // the function that gives it away, or the part split off it
	Offset uint64     // of the instruction, in In
	How    string     // "is passed to request_region"
}

// carried is the code whose addresses are followed, of one unit.
type carried struct {
	*side
	functions []*unit.Item // without the parts split off
	// mine gives the item of the update that a reference leads to; nil for what is in the running kernel.
	mine func(unit.Ref) *unit.Item
	// entered says whether anything but calls from functions can enter one: what it returns goes out.
	entered func(*unit.Item) bool
	// leads gives the function that a call of a name of another object file leads to.
	leads   func(name string) Callee
	lockdep bool // CONFIG_LOCKDEP: names and keys of locks are kept
}

// held is a set of items, by their numbers in the search; what is beyond the last bit shares it.
type held uint64

const lastHeld = 63

// search follows the addresses of one unit through registers and stack.
type search struct {
	carried
	numbers map[*unit.Item]held
	items   [lastHeld + 1][]*unit.Item
	content map[*unit.Item]held // what a datum points to
	params  map[*unit.Item]*[registers]held
	results map[*unit.Item]held
	again   bool                   // params or results grew
	found   map[[2]*unit.Item]bool // item and function of each of order
	order   []Held
}

// held gives what of the update may be in use though none of its functions is: what is stored, returned, or passed to a
// function that is not known to be done with it when it returns. What is not understood counts as given away. It
// holds for x86-64; on other machines everything whose address is in code counts.
func (c carried) held() []Held {
	s := &search{carried: c, numbers: map[*unit.Item]held{}, content: map[*unit.Item]held{}, params: map[*unit.Item]*[registers]held{},
		results: map[*unit.Item]held{}, found: map[[2]*unit.Item]bool{}}
	for _, it := range c.unit.Items {
		if it.Kind != unit.Function && it.Section.Exec() {
			s.allOf(it, "is in code without a name")
		}
	}
	for s.again = true; s.again; {
		s.again = false
		for _, fn := range c.functions {
			s.function(fn)
		}
	}
	return s.order
}

// bit gives the number of an item as a set.
func (s *search) bit(it *unit.Item) held {
	b, ok := s.numbers[it]
	if !ok {
		n := min(len(s.numbers), lastHeld)
		b = 1 << n
		s.numbers[it] = b
		s.items[n] = append(s.items[n], it)
	}
	return b
}

// source is the set of what a reference names: nothing for what the kernel has, and for what has no size, which nobody can
// look into (struct lock_class_key without lockdep).
func (s *search) source(ref unit.Ref) held {
	if ref.Direct {
		return 0
	}
	if it := s.mine(ref); it != nil && it.Size() > 0 {
		return s.bit(it)
	}
	return 0
}

// behind gives what the data in a set points to.
func (s *search) behind(h held) (out held) {
	for n := range s.items {
		if h&(1<<n) == 0 {
			continue
		}
		for _, it := range s.items[n] {
			out |= s.contentOf(it)
		}
	}
	return out
}

func (s *search) contentOf(it *unit.Item) held {
	if it.Section == nil {
		return s.bit(it) // another unit's: what it points to is not looked at
	}
	if c, ok := s.content[it]; ok || it.Kind == unit.Function {
		return c
	}
	refs, err := s.unit.Refs(it)
	if err != nil {
		return 0 // refused where it is carried
	}
	var c held
	for _, ref := range refs {
		c |= s.source(ref)
	}
	s.content[it] = c
	return c
}

// whole is the function that an item is, or is a part of.
func whole(it *unit.Item) *unit.Item {
	for it != nil && it.Parent != nil {
		it = it.Parent
	}
	return it
}

// gone notes that a set of items goes out at an instruction.
func (s *search) gone(h held, at step, how string) {
	for n := 0; h != 0; n, h = n+1, h>>1 {
		if h&1 == 0 {
			continue
		}
		for _, it := range s.items[n] {
			key := [2]*unit.Item{it, whole(at.in)}
			if !s.found[key] {
				s.found[key] = true
				s.order = append(s.order, Held{Item: it, In: at.in, Offset: at.from, How: how})
			}
		}
	}
}

// allOf lets everything go out that an item's code names.
func (s *search) allOf(it *unit.Item, how string) {
	refs, err := s.unit.Refs(it)
	if err != nil {
		return // refused where it is carried
	}
	for _, ref := range refs {
		s.gone(s.source(ref), step{in: it, from: ref.Offset}, how)
	}
}

// function follows the addresses in one function until nothing changes.
func (s *search) function(fn *unit.Item) {
	parts := append([]*unit.Item{fn}, fn.Children...)
	if s.params[fn] == nil {
		s.params[fn] = new([registers]held)
	}
	entry := state{}
	for r, h := range s.params[fn] {
		entry.regs[r].held = h
	}
	entry.regs[rsp] = value{stack: onStack}
	all := entry.all()
	for _, it := range parts {
		for _, e := range s.tables[it] {
			for _, ref := range e.Replacement.Refs {
				s.gone(s.source(ref), step{in: it}, "is in code that takes the place of other code")
			}
		}
		refs, _ := s.unit.Refs(it)
		for _, ref := range refs {
			if b := s.source(ref); b != 0 {
				all |= b | s.contentOf(s.mine(ref))
			} else if ref.Direct {
				all |= s.results[ref.To]
			}
		}
	}
	if all == 0 {
		return
	}
	f := s.flow(fn)
	if s.unit.Obj.Machine != elf.EM_X86_64 || f == nil {
		for _, it := range parts {
			s.allOf(it, "is in code that cannot be followed")
		}
		s.gone(entry.all(), step{in: fn}, "is in code that cannot be followed")
		return
	}
	if len(f.steps) == 0 {
		return
	}
	w := &walk{search: s, fn: fn, flow: f, in: make([]*state, len(f.steps)), faults: s.otherWays(f)}
	w.reach(0, &entry)
	w.run()
	w.unreached(all)
}

// otherWays are the ways through a function that its instructions alone do not show, by step: to the fixup of a fault, and
// from the site of an alternative, or a jump to code outside of any function, to all places that these lead to.
func (s *search) otherWays(f *flow) map[int][]int {
	at := map[*unit.Item]map[uint64]int{}
	for i, st := range f.steps {
		if at[st.in] == nil {
			at[st.in] = map[uint64]int{}
		}
		at[st.in][st.from] = i
	}
	out := map[int][]int{}
	lead := func(from int, refs []unit.Ref) {
		for _, ref := range refs {
			if i, ok := at[ref.To][uint64(ref.ToOffset)]; ok {
				out[from] = append(out[from], i)
			}
		}
	}
	for it := range at {
		for _, e := range s.tables[it] {
			from, ok := at[it][uint64(e.Refs[0].ToOffset)]
			switch {
			case !ok || e.Refs[0].To != it:
			case e.Section.Name == "__ex_table":
				lead(from, e.Refs[1:])
			case e.Section.Name == ".altinstructions":
				lead(from, e.Replacement.Refs)
				s.pieces(e.Replacement.Refs, from, lead)
			}
		}
	}
	for i, st := range f.steps {
		s.pieces(st.refs, i, lead)
	}
	return out
}

// pieces leads to where pieces of code without a name lead, to which references do.
func (s *search) pieces(refs []unit.Ref, from int, lead func(int, []unit.Ref)) {
	for _, ref := range refs {
		if ref.To == nil || ref.To.Kind == unit.Function || !ref.To.Section.Exec() {
			continue
		}
		if more, err := s.unit.Refs(ref.To); err == nil {
			lead(from, more)
		}
	}
}

// walk is the search in one function.
type walk struct {
	*search
	fn     *unit.Item
	flow   *flow
	in     []*state // before each step; nil where none is known
	faults map[int][]int
	work   []int
}

// reach joins a state into that before a step.
func (w *walk) reach(i int, st *state) {
	if w.in[i] == nil {
		c := st.clone()
		w.in[i] = &c
	} else if !w.in[i].join(st) {
		return
	}
	w.work = append(w.work, i)
}

func (w *walk) run() {
	for len(w.work) > 0 {
		i := w.work[len(w.work)-1]
		w.work = w.work[:len(w.work)-1]
		st := w.in[i].clone()
		for _, j := range w.faults[i] {
			w.reach(j, &st)
		}
		w.step(&st, w.flow.steps[i])
		for _, j := range w.flow.steps[i].next {
			w.reach(j, &st)
		}
		for _, j := range w.faults[i] {
			w.reach(j, &st)
		}
	}
}

// unreached goes on where no known way leads, such as behind a table of jumps: there everything may be in every register.
func (w *walk) unreached(all held) {
	for i, st := range w.flow.steps {
		code := st.in.Bytes()[st.from:st.end]
		if insn, ok := w.unit.Arch.Insn(code); w.in[i] != nil || ok && insn.Nop || code[0] == breakpoint {
			continue
		}
		top := state{anywhere: all}
		for r := range top.regs {
			top.regs[r] = value{held: all, stack: somewhere}
		}
		w.reach(i, &top)
		w.run()
	}
}

// call lets what is in registers and on the stack go to the function that a step calls or, for the last time, jumps to.
func (w *walk) call(st *state, at step) {
	tail := at.kind != call
	switch {
	case at.call == "__fentry__":
		return
	case returnThunk[at.call]:
		w.returned(st, at)
		return
	case at.to != nil && slices.Contains(w.functions, at.to) && entersAtStart(at):
		w.callOwn(st, at, tail)
	default:
		w.callOut(st, at, tail)
	}
	if tail {
		w.result(st.regs[rax].held)
		if w.entered(w.fn) {
			w.gone(st.regs[rax].held, at, "is returned")
		}
	}
}

// entersAtStart says whether a call or jump leads to a function's first instruction.
func entersAtStart(at step) bool {
	return len(at.refs) > 0 && at.refs[0].ToOffset == 0
}

// onTheStack begins the reason for what a called function may read there: it may have been given the place before.
const onTheStack = "is on the stack in a call of "

// callOwn passes registers to another function of the unit that the update brings.
func (w *walk) callOwn(st *state, at step, tail bool) {
	to := w.params[at.to]
	if to == nil {
		to = new([registers]held)
		w.params[at.to] = to
	}
	for _, r := range arguments {
		if h := st.regs[r].held; h&^to[r] != 0 {
			to[r] |= h
			w.again = true
		}
	}
	w.gone(st.slots(), at, onTheStack+at.to.Name)
	st.clobber(w.results[at.to])
}

// callOut passes registers and stack to a function of the running kernel.
func (w *walk) callOut(st *state, at step, tail bool) {
	to, callee := "a function by its address", Callee{}
	if at.call != "" && !indirectThunk(at.call) {
		to = at.call
	}
	if at.call != "" && at.to == nil {
		callee = w.leads(at.call)
		to = cmp.Or(callee.Name, to)
	}
	how := "is passed to " + to
	b, known := borrowerOf(callee, w.lockdep)
	if !known {
		for _, r := range arguments {
			w.gone(st.regs[r].held, at, how)
		}
		if takesAccumulator(at.call) {
			w.gone(st.regs[rax].held, at, how)
		}
		w.gone(st.slots(), at, onTheStack+to)
		st.clobber(0)
		return
	}
	var result held
	for n, r := range arguments {
		h := st.regs[r].held
		switch {
		case b.ignores.has(n):
		case !b.args.has(n):
			w.gone(h, at, how)
		case tail && b.sleeps:
			w.gone(h, at, how+" as the last thing, so that nothing of the update is on the stack meanwhile")
		case b.deep:
		default:
			w.gone(h&w.pointing(h), at, fmt.Sprintf("points to others and %s", how))
		}
		if b.returns && n == 0 {
			result = h
		}
	}
	if b.copies || b.args != everyArg {
		w.gone(st.slots(), at, onTheStack+to)
	}
	st.clobber(result)
}

// pointing are those of a set that hold the address of others.
func (s *search) pointing(h held) (out held) {
	for n := range s.items {
		if h&(1<<n) != 0 && slices.ContainsFunc(s.items[n], func(it *unit.Item) bool { return s.contentOf(it) != 0 }) {
			out |= 1 << n
		}
	}
	return out
}

// returned lets go out what a function returns.
func (w *walk) returned(st *state, at step) {
	h := st.regs[rax].held | st.regs[rdx].held
	w.result(h)
	if w.entered(w.fn) {
		w.gone(h, at, "is returned")
	}
}

// result notes what a function can return.
func (w *walk) result(h held) {
	if h&^w.results[w.fn] != 0 {
		w.results[w.fn] |= h
		w.again = true
	}
}
