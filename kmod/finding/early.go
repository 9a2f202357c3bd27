package finding

import (
	"slices"
	"strings"

	"livesplice/kmod/unit"
)

// early warns of old code that livepatch does not look for on the stacks of tasks: the cold part of a replaced function,
// and a function without a counterpart that a replaced one jumps to. A task that sleeps there counts as switched. It goes
// on in the old code, and what that calls is the new version, if it is replaced: one task then has run both, which is what
// livepatch promises not to happen. The old code itself stays where it is. Old code that calls nothing replaced does no
// more harm than the same code in a task that was not switched yet.
//
// Source: kernel/livepatch/transition.c, klp_check_stack_func, v5.10 to v7.2: old_func and old_size of each function, by
// kallsyms, where a cold part is a symbol of its own.
func (l *look) early() {
	replaced := map[*unit.Item]*unit.Item{} // old to new
	for _, it := range l.Replaced() {
		replaced[l.PreOf(it)] = it
	}
	for _, it := range l.Replaced() {
		for _, part := range l.unseen(l.PreOf(it)) {
			if calls := part.newAfterSleep(replaced); calls != "" {
				l.warn(SwitchedEarly, it, "a task that sleeps in "+part.sleep+", called from "+part.name+" of the old code, is switched all the same: livepatch looks for the function itself only. It goes on in the old code and calls the new "+calls,
					"see that the new "+calls+" gets along with what the old code did before")
				break
			}
		}
	}
}

// part is old code that livepatch does not look for.
type part struct {
	name  string
	sleep string // what it calls that may sleep; set by newAfterSleep
	flow  *flow
	first int // the part's steps begin there, and go to the end
}

// unseen are the parts of a function that livepatch does not look for.
func (l *look) unseen(pre *unit.Item) []*part {
	f := l.pre.flow(pre)
	if f == nil {
		return nil
	}
	var out []*part
	if f.hot < len(f.steps) {
		out = append(out, &part{name: pre.Name + ".cold", flow: f, first: f.hot})
	}
	for _, s := range f.steps {
		if !s.leaves || s.to == nil || !slices.Contains(l.gone, s.to) {
			continue
		}
		if g := l.pre.flow(s.to); g != nil {
			out = append(out, &part{name: s.to.Name, flow: g})
		}
	}
	return out
}

// newAfterSleep gives the first replaced function that may be called after the part has slept, "" for none.
func (p *part) newAfterSleep(replaced map[*unit.Item]*unit.Item) string {
	for i := p.first; i < len(p.flow.steps); i++ {
		s := p.flow.steps[i]
		if s.call == "" || s.leaves || !maySleep(s.call) {
			continue
		}
		for _, j := range p.flow.behind(i) {
			if to := p.flow.steps[j].to; to != nil && replaced[to] != nil {
				p.sleep = s.call
				return replaced[to].Name
			}
		}
	}
	return ""
}

// behind gives the steps that may come after a step, in order.
func (f *flow) behind(i int) (out []int) {
	seen := make([]bool, len(f.steps))
	work := append([]int(nil), f.steps[i].next...)
	for len(work) > 0 {
		j := work[len(work)-1]
		work = work[:len(work)-1]
		if !seen[j] {
			seen[j] = true
			work = append(work, f.steps[j].next...)
		}
	}
	for j := range seen {
		if seen[j] {
			out = append(out, j)
		}
	}
	return out
}

// sleepless begins the names of functions that do not sleep, of those that cold parts call: messages, and releasing. A task
// may be preempted in any of them, which is over in a moment.
//
// Source: include/linux/{printk,dev_printk,spinlock_api_smp,rcupdate,refcount}.h, v5.10 to v7.2.
var sleepless = []string{"printk", "_printk", "__warn", "warn_slowpath", "_dev_", "dev_", "netdev_", "__dynamic_", "___ratelimit", "__ratelimit",
	"dump_stack", "add_taint", "panic", "__stack_chk_fail", "refcount_warn_saturate", "lockdep_rcu_suspicious", "__ubsan", "_raw_spin_", "_raw_read_",
	"_raw_write_", "__rcu_read_", "rcu_read_", "kfree", "__fentry__", "preempt_", "fortify_panic", "__might_", "trace_", "call_rcu", "wake_up", "__wake_up"}

// maySleep says whether a task may sleep in a function, as far as its name tells.
func maySleep(call string) bool {
	return !slices.ContainsFunc(sleepless, func(prefix string) bool { return strings.HasPrefix(call, prefix) })
}
