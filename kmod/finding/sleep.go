package finding

import (
	"slices"
	"strings"

	"livesplice/kmod/unit"
)

// waits are functions in which a task sleeps until something happens. Called in a loop, which is what the wait_event
// macros are, there is no end to it but the event.
//
// Source: include/linux/{sched,wait,wait_bit,swait,completion,hrtimer,freezer}.h, v5.10 to v7.0.
var waits = []string{"schedule", "schedule_timeout", "schedule_timeout_interruptible", "schedule_timeout_killable", "schedule_timeout_idle",
	"schedule_timeout_uninterruptible", "schedule_hrtimeout", "schedule_hrtimeout_range", "schedule_hrtimeout_range_clock", "schedule_preempt_disabled",
	"schedule_rtlock", "io_schedule", "io_schedule_timeout", "freezable_schedule", "wait_woken", "do_wait_intr", "do_wait_intr_irq", "bit_wait", "bit_wait_io",
	"poll_schedule_timeout", "wait_for_completion_interruptible", "wait_for_completion_killable", "msleep_interruptible", "do_nanosleep", "rcuwait_wait_event"}

// threadLoop are functions that only the main loop of a kernel thread calls.
//
// Source: include/linux/kthread.h, v5.10 to v7.0.
var threadLoop = []string{"kthread_should_stop", "kthread_should_park", "kthread_parkme", "kthread_freezable_should_stop", "kthread_should_stop_or_park"}

// wait is where a function waits.
type wait struct {
	call    string // what it calls
	through string // the function of the unit that it waits in; "" for itself
	thread  bool   // it is the main loop of a kernel thread
}

// sleeps warns of replaced functions that tasks wait in. A sleeping task with the old version on its stack is not
// switched, and the transition does not end before all are; undoing waits for the new version in the same way.
//
// Source: kernel/livepatch/transition.c, klp_check_stack_func and klp_send_signals, v6.1.
func (l *look) sleeps() {
	for _, it := range l.Replaced() {
		w := l.pre.waitIn(l.PreOf(it), map[*unit.Item]bool{})
		when := "is applied"
		if w == nil {
			w, when = l.post.waitIn(it, map[*unit.Item]bool{}), "is undone"
		}
		if w == nil {
			continue
		}
		how := "calls " + w.call + " in a loop"
		if w.through != "" {
			how = "calls " + w.through + ", which " + how
		}
		if w.thread {
			l.warn(SleepsForever, it, how+", the main loop of a kernel thread: the thread never leaves it, so that the transition cannot end while it runs when the update "+when,
				"replace what the loop calls instead of the loop, or stop the thread (unload or close what started it) while the update is applied")
			continue
		}
		l.warn(SleepsForever, it, how+": a task that waits there when the update "+when+" holds the transition up until it leaves",
			"`splicectl blockers` names the tasks; those that wait interruptibly leave at the signal that the kernel sends after 15 seconds, others when what they wait for happens")
	}
}

// waitIn finds where a function waits, in itself or in functions of the unit that it calls; nil for nowhere.
func (s *side) waitIn(it *unit.Item, seen map[*unit.Item]bool) *wait {
	f := s.flow(it)
	if f == nil || seen[it] {
		return nil
	}
	seen[it] = true
	var found *wait
	for i, st := range f.steps {
		name := plainName(st.call)
		switch {
		case slices.Contains(threadLoop, name) && f.inLoop(i):
			return &wait{call: name, thread: true}
		case found == nil && (slices.Contains(waits, name) || strings.HasPrefix(name, "prepare_to_wait")) && f.inLoop(i):
			found = &wait{call: name}
		}
	}
	if found != nil {
		return found
	}
	for _, st := range f.steps {
		if st.to == nil {
			continue
		}
		if w := s.waitIn(st.to, seen); w != nil {
			if w.through == "" {
				w.through = st.to.Name
			}
			return w
		}
	}
	return nil
}
