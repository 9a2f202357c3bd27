package match

// byNeighbour pins one function that has several equal candidates by the function that stands before or behind it in the
// object: the compiler emits functions in the same order with and without sections of their own, so that of copies in many
// units the unit's own is the one that touches the place of its neighbour, with nothing but padding between. It serves
// the first and last function of a stretch, which byPosition cannot bound.
func (m *matcher) byNeighbour() bool {
	last := map[string]*function{} // by stretch
	for _, f := range m.functions {
		name := stretch(f.item)
		before := last[name]
		last[name] = f
		if before == nil || before.item.Weak() || f.item.Weak() {
			continue // a weak function can have been found in the unit whose definition overrides it
		}
		if before.found != nil && m.pinTouching(f, func(a *attempt) bool { return m.touch(before.found, a) }) ||
			f.found != nil && m.pinTouching(before, func(a *attempt) bool { return m.touch(a, f.found) }) {
			return true
		}
	}
	return false
}

// pinTouching pins the only candidate that touches a neighbour.
func (m *matcher) pinTouching(f *function, touches func(*attempt) bool) bool {
	if f.found != nil || len(f.candidates) < 2 {
		return false
	}
	var touching []*attempt
	for _, a := range f.candidates {
		if touches(a) {
			touching = append(touching, a)
		}
	}
	if len(touching) != 1 {
		return false
	}
	f.candidates = touching
	m.pin(f, touching[0], "position")
	return true
}

// touch says whether b begins where a ends, padding apart: the alignment of functions, and room in front of them that
// calls are accounted in (CONFIG_CALL_PADDING).
func (m *matcher) touch(a, b *attempt) bool {
	const most = 64 // bytes: the largest alignment of functions that kernels are built with
	end := a.addr + a.size
	if b.addr < end || b.addr-end >= most {
		return false
	}
	gap, ok := m.run.Bytes(end, b.addr-end)
	return ok && m.padding(gap)
}

// padding says whether code does nothing: nops, or INT3, which nothing runs into.
func (m *matcher) padding(code []byte) bool {
	const int3 = 0xcc
	for len(code) > 0 {
		n := 1
		if code[0] != int3 {
			i, ok := m.pre.Arch.Insn(code)
			if !ok || !i.Nop || int(i.Len) > len(code) {
				return false
			}
			n = int(i.Len)
		}
		code = code[n:]
	}
	return true
}
