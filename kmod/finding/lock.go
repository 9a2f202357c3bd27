package finding

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"livesplice/kmod/unit"
)

// locks warns where replaced code takes or releases locks otherwise than the old code does. While a transition lasts, some
// tasks run the old functions and some the new ones, so that two protocols are in use at once.
func (l *look) locks() {
	for i := range lockKinds {
		kind := &lockKinds[i]
		before, after := newHolding(l.pre, kind), newHolding(l.post, kind)
		l.balances(kind, before, after)
		if !kind.shared {
			l.counts(kind)
		}
	}
}

// balances compares how often a lock is held when a function returns.
func (l *look) balances(kind *lock, before, after *holding) {
	for _, it := range l.brought {
		pre := l.PreOf(it)
		if pre == nil {
			continue
		}
		was, known := before.net(pre)
		is, alsoKnown := after.net(it)
		if !known || !alsoKnown || was == is || was.vague() || is.vague() {
			continue
		}
		l.warn(LockBalance, it, fmt.Sprintf("returns with the %s taken %s times since its entry, the old code %s times (%s); of this unit, %s",
			kind.name, is, was, l.callCounts(it, kind), l.users(kind)),
			"see that all functions that must agree on the lock are in this update; tasks that are not switched yet go by the old rule")
	}
}

// counts compares in how many places the update and what it replaces take a lock. Code that moves between functions of
// the update adds up to nothing. Places are those of the source, where debug information tells them: the compiler copies
// code, and differently in the old function and the new one.
func (l *look) counts(kind *lock) {
	if _, total := l.taken(kind, (*side).calls); total == 0 {
		return
	}
	delta, total := l.taken(kind, (*side).sourceCalls)
	if total == 0 {
		return
	}
	for _, it := range l.brought {
		where := fmt.Sprintf("%s; of this unit, %s", callCounts(l.pre.sourceCalls(l.PreOf(it), kind), l.post.sourceCalls(it, kind), kind), l.users(kind))
		switch d := delta[it]; {
		case total > 0 && d > 0:
			l.warn(LockAdded, it, "takes a "+kind.name+" in more places than the old code: "+where,
				"see that tasks which are not switched yet, and so go without the lock or take locks in the old order, do no harm beside the new code")
		case total < 0 && d < 0:
			l.warn(LockRemoved, it, "takes a "+kind.name+" in fewer places than the old code: "+where,
				"see that whoever relies on the lock is in this update; tasks that are not switched yet still take it")
		}
	}
}

// taken gives by how many places more each function takes a lock, and all together, counted in one of two ways.
func (l *look) taken(kind *lock, count func(*side, *unit.Item, *lock) map[string]int) (delta map[*unit.Item]int, total int) {
	delta = map[*unit.Item]int{}
	for _, it := range l.brought {
		delta[it] = acquires(count(l.post, it, kind)) - acquires(count(l.pre, l.PreOf(it), kind))
		total += delta[it]
	}
	for _, pre := range l.gone {
		total -= acquires(count(l.pre, pre, kind))
	}
	return delta, total
}

func (l *look) callCounts(it *unit.Item, kind *lock) string {
	return callCounts(l.pre.calls(l.PreOf(it), kind), l.post.calls(it, kind), kind)
}

// callCounts lists the calls of a lock's functions that two versions of a function make, before and after.
func callCounts(a, b map[string]int, kind *lock) string {
	var out []string
	for _, name := range slices.Concat(kind.acquire, kind.try, kind.release) {
		if a[name]+b[name] > 0 {
			out = append(out, fmt.Sprintf("%s %d before and %d after", name, a[name], b[name]))
		}
	}
	if len(out) == 0 {
		return "by functions that it calls"
	}
	return strings.Join(out, ", ")
}

// users names the functions of post that take or release a lock.
func (l *look) users(kind *lock) string {
	const most = 6
	var names []string
	for _, it := range l.Post.Items {
		if it.Kind == unit.Function && it.Parent == nil && len(l.post.calls(it, kind)) > 0 {
			names = append(names, it.Name)
		}
	}
	switch n := len(names); {
	case n == 0:
		return "no function calls these"
	case n > most:
		return fmt.Sprintf("%s and %d more call these", strings.Join(names[:most], ", "), n-most)
	case n == 1:
		return names[0] + " calls these"
	}
	return strings.Join(names, ", ") + " call these"
}

// calls counts a function's calls of a lock's functions; none of one that is not there or cannot be followed.
func (s *side) calls(it *unit.Item, kind *lock) map[string]int {
	n := map[string]int{}
	s.eachCall(it, kind, func(name string, _ step) { n[name]++ })
	return n
}

// sourceCalls counts them by their places in the source.
func (s *side) sourceCalls(it *unit.Item, kind *lock) map[string]int {
	n := map[string]int{}
	seen := map[string]bool{}
	s.eachCall(it, kind, func(name string, at step) {
		place := s.unit.SourcePlace(at.in, at.from)
		if place == "" || !seen[name+" "+place] {
			n[name]++
		}
		seen[name+" "+place] = true
	})
	return n
}

func (s *side) eachCall(it *unit.Item, kind *lock, do func(name string, at step)) {
	f := s.flow(it)
	if f == nil {
		return
	}
	for _, at := range f.steps {
		if c, ok := lockCalls[plainName(at.call)]; ok && c.lock == kind {
			do(plainName(at.call), at)
		}
	}
}

// acquires is the number of calls that take a lock or try to.
func acquires(calls map[string]int) int {
	n := 0
	for name, k := range calls {
		if lockCalls[name].effect != drops {
			n += k
		}
	}
	return n
}

// levels is a set of numbers from -lowest up: how much more often a lock is held than at a function's entry. Bit lowest
// stands for 0.
type levels uint16

const lowest = 7

func (s levels) String() string {
	var out []string
	for i := -lowest; i <= 15-lowest; i++ {
		if s>>(i+lowest)&1 != 0 {
			out = append(out, strings.Replace(fmt.Sprintf("%+d", i), "+0", "0", 1))
		}
	}
	return strings.Join(out, " or ")
}

// vague says that a set tells nothing: it has numbers on both sides of 0, or more than two. Then the function asks the same
// question twice, whether to take the lock and whether to release it, and the ways through its code combine the answers as
// no run of it does; or it calls something that takes locks and is not known here.
func (s levels) vague() bool {
	const below = levels(1)<<lowest - 1
	return bits.OnesCount16(uint16(s)) > 2 || s&below != 0 && s&^(below<<1|1) != 0
}

// plus adds each number of one set to each of another. What leaves the range is dropped: a loop that only takes locks.
func (s levels) plus(d levels) levels {
	var out levels
	for d != 0 {
		i := bits.TrailingZeros16(uint16(d)) - lowest
		if i >= 0 {
			out |= s << i
		} else {
			out |= s >> -i
		}
		d &= d - 1
	}
	return out
}

// holding computes levels for one lock, function by function.
type holding struct {
	side *side
	kind *lock
	done map[*unit.Item]levels
}

func newHolding(s *side, kind *lock) *holding {
	return &holding{side: s, kind: kind, done: map[*unit.Item]levels{}}
}

// net gives how the level can differ between a function's entry and its returns, by all paths of its code, those that no
// value of its variables can take among them. A function that calls itself counts as balanced there. known is false for
// code that cannot be followed.
func (h *holding) net(it *unit.Item) (n levels, known bool) {
	if n, ok := h.done[it]; ok {
		return n, n != 0
	}
	f := h.side.flow(it)
	if f == nil {
		h.done[it] = 0
		return 0, false
	}
	const same = levels(1) << lowest
	h.done[it] = same
	effects := make([]levels, len(f.steps))
	used := false
	for i, s := range f.steps {
		effects[i] = h.effect(s)
		used = used || effects[i] != same
	}
	n = same
	if used {
		n = f.spread(effects)
	}
	h.done[it] = n
	return n, n != 0
}

// effect gives what one step adds.
func (h *holding) effect(s step) levels {
	const same = levels(1) << lowest
	if c, ok := lockCalls[plainName(s.call)]; ok && c.lock == h.kind {
		switch c.effect {
		case takes:
			return same << 1
		case mayTake:
			return same<<1 | same
		}
		return same >> 1
	}
	if s.to != nil {
		if n, known := h.net(s.to); known {
			return n
		}
	}
	return same
}

// spread carries levels from the entry along every path and gives those that arrive where the function is left.
func (f *flow) spread(effects []levels) levels {
	in := make([]levels, len(f.steps))
	in[0] = levels(1) << lowest
	work := []int{0}
	var left levels
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		out := in[i].plus(effects[i])
		if f.steps[i].leaves {
			left |= out
		}
		for _, j := range f.steps[i].next {
			if in[j]|out != in[j] {
				in[j] |= out
				work = append(work, j)
			}
		}
	}
	return left
}
