package finding

import "strings"

// lock is a kind of lock by the functions that take and release it. Which lock of the kind it is cannot be told from a
// call. Functions that the kernel's build inlines leave calls to those below them.
type lock struct {
	name    string
	acquire []string
	// try are those that may return without the lock.
	try     []string
	release []string
	// shared says that holders do not keep each other out: taking it in new places endangers nobody.
	shared bool
}

// lockKinds are the locks that are known.
//
// Source: include/linux/{spinlock_api_smp,rwlock_api_smp,mutex,rwsem,semaphore,ww_mutex,rtmutex,percpu-rwsem,rcupdate,srcu,
// rtnetlink,mm,memcontrol,oom,sched/signal,console,cpu,cpuhplock,bottom_half}.h, include/net/sock.h and kernel/sched/sched.h, v5.10
// to v7.0.
var lockKinds = []lock{
	{name: "spinlock",
		acquire: []string{"_raw_spin_lock", "_raw_spin_lock_bh", "_raw_spin_lock_irq", "_raw_spin_lock_irqsave", "_raw_spin_lock_nested",
			"_raw_spin_lock_bh_nested", "_raw_spin_lock_irqsave_nested", "_raw_spin_lock_nest_lock", "task_rq_lock", "__task_rq_lock", "folio_lruvec_lock", "folio_lruvec_lock_irq", "folio_lruvec_lock_irqsave",
			"rt_spin_lock", "rt_spin_lock_nested"},
		try: []string{"_raw_spin_trylock", "_raw_spin_trylock_bh", "__lock_task_sighand", "find_lock_task_mm", "__pte_offset_map_lock", "__get_locked_pte", "follow_pte",
			"rt_spin_trylock", "_atomic_dec_and_lock", "_atomic_dec_and_lock_irqsave", "refcount_dec_and_lock", "refcount_dec_and_lock_irqsave"},
		release: []string{"_raw_spin_unlock", "_raw_spin_unlock_bh", "_raw_spin_unlock_irq", "_raw_spin_unlock_irqrestore", "rt_spin_unlock"}},
	{name: "rwlock, for reading",
		acquire: []string{"_raw_read_lock", "_raw_read_lock_bh", "_raw_read_lock_irq", "_raw_read_lock_irqsave"}, try: []string{"_raw_read_trylock"},
		release: []string{"_raw_read_unlock", "_raw_read_unlock_bh", "_raw_read_unlock_irq", "_raw_read_unlock_irqrestore"}},
	{name: "rwlock, for writing",
		acquire: []string{"_raw_write_lock", "_raw_write_lock_bh", "_raw_write_lock_irq", "_raw_write_lock_irqsave", "_raw_write_lock_nested"}, try: []string{"_raw_write_trylock"},
		release: []string{"_raw_write_unlock", "_raw_write_unlock_bh", "_raw_write_unlock_irq", "_raw_write_unlock_irqrestore"}},
	{name: "mutex",
		acquire: []string{"mutex_lock", "mutex_lock_nested", "mutex_lock_io", "mutex_lock_io_nested", "_mutex_lock_nest_lock", "ww_mutex_lock"},
		try:     []string{"mutex_lock_interruptible", "mutex_lock_interruptible_nested", "mutex_lock_killable", "mutex_lock_killable_nested", "_mutex_lock_killable", "mutex_trylock", "ww_mutex_lock_interruptible", "ww_mutex_trylock", "atomic_dec_and_mutex_lock", "refcount_dec_and_mutex_lock"},
		release: []string{"mutex_unlock", "ww_mutex_unlock"}},
	{name: "rt_mutex", acquire: []string{"rt_mutex_lock", "rt_mutex_lock_nested"}, try: []string{"rt_mutex_lock_interruptible", "rt_mutex_lock_killable", "rt_mutex_trylock"}, release: []string{"rt_mutex_unlock"}},
	{name: "rw_semaphore, for reading", acquire: []string{"down_read", "down_read_nested", "down_read_non_owner"},
		try: []string{"down_read_interruptible", "down_read_killable", "down_read_killable_nested", "down_read_trylock"}, release: []string{"up_read", "up_read_non_owner"}},
	{name: "rw_semaphore, for writing", acquire: []string{"down_write", "down_write_nested", "_down_write_nest_lock"},
		try: []string{"down_write_killable", "down_write_killable_nested", "down_write_trylock"}, release: []string{"up_write"}},
	{name: "semaphore", acquire: []string{"down"}, try: []string{"down_interruptible", "down_killable", "down_trylock", "down_timeout"}, release: []string{"up"}},
	{name: "percpu_rw_semaphore, for writing", acquire: []string{"percpu_down_write"}, release: []string{"percpu_up_write"}},
	{name: "RCU", acquire: []string{"__rcu_read_lock"}, release: []string{"__rcu_read_unlock"}, shared: true},
	{name: "SRCU", acquire: []string{"__srcu_read_lock"}, release: []string{"__srcu_read_unlock"}, shared: true},
	{name: "preempt count", acquire: []string{"preempt_disable"}, release: []string{"preempt_enable"}, shared: true},
	{name: "bottom halves", acquire: []string{"__local_bh_disable_ip"}, release: []string{"__local_bh_enable_ip", "_local_bh_enable"}, shared: true},
	{name: "rtnl_mutex", acquire: []string{"rtnl_lock"}, try: []string{"rtnl_lock_killable", "rtnl_lock_interruptible", "rtnl_trylock"}, release: []string{"rtnl_unlock", "__rtnl_unlock"}},
	{name: "socket lock", acquire: []string{"lock_sock_nested"}, try: []string{"__lock_sock_fast"}, release: []string{"release_sock"}},
	{name: "console lock", acquire: []string{"console_lock"}, try: []string{"console_trylock"}, release: []string{"console_unlock"}},
	{name: "CPU hotplug lock", acquire: []string{"cpus_read_lock"}, try: []string{"cpus_read_trylock"}, release: []string{"cpus_read_unlock"}, shared: true},
}

// effects of a call on how often a lock is held.
type effect int

const (
	takes effect = iota + 1
	mayTake
	drops
)

// effectOf says what a call does to each lock.
type effectOf map[string]struct {
	lock *lock
	effect
}

var lockCalls = func() effectOf {
	m := effectOf{}
	for i := range lockKinds {
		l := &lockKinds[i]
		for e, names := range map[effect][]string{takes: l.acquire, mayTake: l.try, drops: l.release} {
			for _, n := range names {
				m[n] = struct {
					lock *lock
					effect
				}{l, e}
			}
		}
	}
	return m
}()

// plainName is a called function's name without the static call's prefix.
func plainName(name string) string { return strings.TrimPrefix(name, "__SCT__") }
