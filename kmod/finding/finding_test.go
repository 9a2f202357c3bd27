package finding_test

import (
	"strings"
	"testing"

	"livesplice/kmod/diff"
	"livesplice/kmod/finding"
	"livesplice/kmod/unit/objtest"
)

// decls are declared as the kernel does after its own inlining.
const decls = `
#include "kernel.h"
struct mutex; extern struct mutex m; extern int x;
void mutex_lock(struct mutex *), mutex_unlock(struct mutex *); int mutex_lock_interruptible(struct mutex *), mutex_trylock(struct mutex *);
void _raw_spin_lock(void *), _raw_spin_unlock(void *); void __rcu_read_lock(void), __rcu_read_unlock(void);
void schedule(void); long schedule_timeout(long); int kthread_should_stop(void); int prepare_to_wait_event(void *, void *, int);
`

func look(t *testing.T, pre, post string, flags ...string) finding.Warnings {
	t.Helper()
	r, err := diff.Compare("unit.c", objtest.Text(t, decls+pre, flags...), objtest.Text(t, decls+post, flags...), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := finding.Look(r)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestLocks tells which warnings a change of locking gives: code, function, and the start of the reason.
func TestLocks(t *testing.T) {
	for _, c := range []struct {
		name, pre, post string
		want            []string
	}{
		{"a path keeps the lock",
			`int f(int n) { mutex_lock(&m); if (n) { mutex_unlock(&m); return 1; } x = n; mutex_unlock(&m); return 0; }`,
			`int f(int n) { mutex_lock(&m); if (n) { return 1; } x = n; mutex_unlock(&m); return 0; }`,
			[]string{"lock-balance-changed f: returns with the mutex taken 0 or +1 times since its entry, the old code 0 times (mutex_lock 1 before and 1 after, mutex_unlock 2 before and 1 after); of this unit, f calls these"}},
		{"another way out, with the lock released",
			`int f(int n) { mutex_lock(&m); x = n; mutex_unlock(&m); return 0; }`,
			`int f(int n) { mutex_lock(&m); if (source(n)) { mutex_unlock(&m); return 1; } x = n; mutex_unlock(&m); return 0; }`, nil},
		{"two functions that must agree",
			`noinline void a(void) { x++; } noinline void b(void) { mutex_lock(&m); a(); sink(&x); mutex_unlock(&m); }`,
			`noinline void a(void) { mutex_lock(&m); x++; mutex_unlock(&m); } noinline void b(void) { mutex_lock(&m); sink(&x); mutex_unlock(&m); a(); }`,
			[]string{"lock-added a: takes a mutex in more places than the old code: mutex_lock 0 before and 1 after, mutex_unlock 0 before and 1 after; of this unit, a, b call these"}},
		{"the caller holds it now",
			`noinline void a(void) { mutex_lock(&m); x++; mutex_unlock(&m); } noinline void b(void) { a(); sink(&x); }`,
			`noinline void a(void) { x++; } noinline void b(void) { mutex_lock(&m); a(); mutex_unlock(&m); sink(&x); }`, nil},
		{"a new function that returns with it, and its user",
			`void f(int n) { mutex_lock(&m); x = n; mutex_unlock(&m); }`,
			`static noinline void hold(int n) { sink(&n); mutex_lock(&m); } void f(int n) { hold(n); x = n; mutex_unlock(&m); }`, nil},
		{"the user of a helper forgets it",
			`static noinline void hold(int n) { sink(&n); mutex_lock(&m); } void f(int n) { hold(n); x = n; mutex_unlock(&m); }`,
			`static noinline void hold(int n) { sink(&n); mutex_lock(&m); } void f(int n) { hold(n); x = n + 1; }`,
			[]string{"lock-balance-changed f: returns with the mutex taken +1 times since its entry, the old code 0 times (mutex_unlock 1 before and 0 after); of this unit, hold calls these"}},
		{"one question asked twice",
			`int f(int n) { if (n & 1) { mutex_lock(&m); x = n; mutex_unlock(&m); } return 0; }`,
			`int f(int n) { if (n & 1) mutex_lock(&m); x = source(n); asm volatile("" : "+r" (n)); if (n & 1) mutex_unlock(&m); return 0; }`, nil},
		{"a lock that may not be had",
			`int f(int n) { if (mutex_lock_interruptible(&m)) return -4; x = n; mutex_unlock(&m); return 0; }`,
			`int f(int n) { if (mutex_lock_interruptible(&m)) return -5; x = n; mutex_unlock(&m); return 0; }`, nil},
		{"no lock any more",
			`void f(int n) { _raw_spin_lock(&x); x = n; _raw_spin_unlock(&x); }`,
			`void f(int n) { x = n; }`,
			[]string{"lock-removed f: takes a spinlock in fewer places than the old code: _raw_spin_lock 1 before and 0 after, _raw_spin_unlock 1 before and 0 after; of this unit, no function calls these"}},
		{"a lock in a loop",
			`void f(int n) { while (n--) x = n; }`,
			`void f(int n) { while (n--) { _raw_spin_lock(&x); x = n; _raw_spin_unlock(&x); } }`,
			[]string{"lock-added f: takes a spinlock in more places than the old code: _raw_spin_lock 0 before and 1 after, _raw_spin_unlock 0 before and 1 after; of this unit, f calls these"}},
		{"readers that keep nobody out",
			`void f(int n) { x = n; }`, `void f(int n) { __rcu_read_lock(); x = n; __rcu_read_unlock(); }`, nil},
		{"preemption stays off",
			`#define off() asm volatile("incl %%gs:%0" : "+m" (__preempt_count))
			 #define on() asm volatile("decl %%gs:%0" : "+m" (__preempt_count))
			 extern int __preempt_count; int f(int n) { off(); x = n; on(); return 0; }`,
			`#define off() asm volatile("incl %%gs:%0" : "+m" (__preempt_count))
			 #define on() asm volatile("decl %%gs:%0" : "+m" (__preempt_count))
			 extern int __preempt_count; int f(int n) { off(); x = n; if (source(n)) return 1; on(); return 0; }`,
			[]string{"lock-balance-changed f: returns with the preempt count taken 0 or +1 times since its entry, the old code 0 times (preempt_disable 1 before and 1 after, preempt_enable 1 before and 1 after); of this unit, f calls these"}},
		{"the unlikely path forgets it",
			`void cold oops(void); int f(int n) { mutex_lock(&m); if (unlikely(n)) { oops(); x = 1; mutex_unlock(&m); return 1; } x = n; mutex_unlock(&m); return 0; }`,
			`void cold oops(void); int f(int n) { mutex_lock(&m); if (unlikely(n)) { oops(); x = 1; return 1; } x = n; mutex_unlock(&m); return 0; }`,
			[]string{"lock-balance-changed f: returns with the mutex taken 0 or +1 times since its entry, the old code 0 times (mutex_lock 1 before and 1 after, mutex_unlock 2 before and 1 after); of this unit, f calls these"}},
		{"a function that is not replaced", `void g(void) { mutex_lock(&m); } int f(int n) { return n; }`, `void g(void) { mutex_lock(&m); } int f(int n) { return n + 1; }`, nil},
		{"an unlock at the tail", `void f(int n) { mutex_lock(&m); x = n; mutex_unlock(&m); }`, `void f(int n) { mutex_lock(&m); x = n + 1; mutex_unlock(&m); }`, nil},
		{"BUG goes nowhere",
			`void f(int n) { mutex_lock(&m); x = n; mutex_unlock(&m); }`,
			`void f(int n) { mutex_lock(&m); if (n) { BUG_ENTRY(0); __builtin_unreachable(); } x = n; mutex_unlock(&m); }`, nil},
		{"WARN goes on",
			`int f(int n) { mutex_lock(&m); x = n; mutex_unlock(&m); return 0; }`,
			`int f(int n) { mutex_lock(&m); if (n) { BUG_ENTRY(1); return 1; } x = n; mutex_unlock(&m); return 0; }`,
			[]string{"lock-balance-changed f: returns with the mutex taken 0 or +1 times since its entry, the old code 0 times (mutex_lock 1 before and 1 after, mutex_unlock 1 before and 1 after); of this unit, f calls these"}},
		{"both ways of a static branch",
			`extern struct static_key key; int f(int n) { mutex_lock(&m); x = n; mutex_unlock(&m); return 0; }`,
			`extern struct static_key key; int f(int n) { mutex_lock(&m); if (static_branch(&key)) { return 1; } x = n; mutex_unlock(&m); return 0; }`,
			[]string{"lock-balance-changed f: returns with the mutex taken 0 or +1 times since its entry, the old code 0 times (mutex_lock 1 before and 1 after, mutex_unlock 1 before and 1 after); of this unit, f calls these"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(t, look(t, c.pre, c.post), c.want)
		})
	}
}

// TestLocksOfSource counts the places where locks are taken in the source, of which the compiler makes one or many.
func TestLocksOfSource(t *testing.T) {
	const (
		loop   = "int f(int n) {\n#pragma GCC unroll %s\n for (int i = 0; i < 4; i++) { mutex_lock(&m); x += i * n; sink(&x); mutex_unlock(&m); }\n return %s; }"
		helper = "static inline __attribute__((always_inline)) void once(int n) { mutex_lock(&m); x = n; mutex_unlock(&m); }\n"
	)
	unrolled := func(times, result string) string {
		return strings.Replace(strings.Replace(loop, "%s", times, 1), "%s", result, 1)
	}
	for _, c := range []struct {
		name, pre, post string
		want            []string
	}{
		{"copies that are gone", unrolled("4", "0"), unrolled("1", "1"), nil},
		{"new copies", unrolled("1", "0"), unrolled("4", "1"), nil},
		{"copies, and a lock that is gone", strings.Replace(unrolled("4", "0"), "return", "mutex_lock(&m); x++; mutex_unlock(&m); return", 1), unrolled("1", "1"),
			[]string{"lock-removed f: takes a mutex in fewer places than the old code: mutex_lock 2 before and 1 after, mutex_unlock 2 before and 1 after; of this unit, f calls these"}},
		{"a helper that was inlined twice", helper + "void f(int n) { once(n);\n sink(&n);\n once(n + 1); }", helper + "void f(int n) { once(n);\n sink(&n); }",
			[]string{"lock-removed f: takes a mutex in fewer places than the old code: mutex_lock 2 before and 1 after, mutex_unlock 2 before and 1 after; of this unit, f calls these"}},
		{"two on a line", "void f(int n) { mutex_lock(&m); x = n; mutex_unlock(&m); sink(&x); mutex_lock(&m); x++; mutex_unlock(&m); }", "void f(int n) { mutex_lock(&m); x = n; mutex_unlock(&m); sink(&x); x++; }",
			[]string{"lock-removed f: takes a mutex in fewer places than the old code: mutex_lock 2 before and 1 after, mutex_unlock 2 before and 1 after; of this unit, f calls these"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(t, look(t, c.pre, c.post, "-g"), c.want)
		})
	}
}

func check(t *testing.T, warnings finding.Warnings, want []string) {
	t.Helper()
	var got []string
	for _, w := range warnings {
		got = append(got, string(w.Code)+" "+w.Subject+": "+w.Reason)
		if w.Remedy == "" || w.Unit != "unit.c" {
			t.Errorf("incomplete: %+v", w)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSleeps tells which replaced functions hold a transition up.
func TestSleeps(t *testing.T) {
	for _, c := range []struct {
		name, pre, post string
		want            []string
	}{
		{"a wait loop",
			`void f(int n) { while (!source(n)) schedule(); }`, `void f(int n) { while (!source(n + 1)) schedule(); }`,
			[]string{"sleeps-forever f: calls schedule in a loop: a task that waits there when the update is applied holds the transition up until it leaves"}},
		{"wait_event",
			`int f(int n) { for (;;) { if (prepare_to_wait_event(&x, &n, 1)) return 1; if (x) break; schedule(); } return n; }`,
			`int f(int n) { for (;;) { if (prepare_to_wait_event(&x, &n, 1)) return 1; if (x) break; schedule(); } return n + 1; }`,
			[]string{"sleeps-forever f: calls schedule in a loop: a task that waits there when the update is applied holds the transition up until it leaves"}},
		{"a kernel thread",
			`int f(void *p) { while (!kthread_should_stop()) { schedule_timeout(250); x++; } return 0; }`,
			`int f(void *p) { while (!kthread_should_stop()) { schedule_timeout(250); x += 2; } return 0; }`,
			[]string{"sleeps-forever f: calls kthread_should_stop in a loop, the main loop of a kernel thread: the thread never leaves it, so that the transition cannot end while it runs when the update is applied"}},
		{"once", `void f(int n) { schedule(); x = n; }`, `void f(int n) { schedule(); x = n + 1; }`, nil},
		{"behind a loop", `void f(int n) { while (source(n)) n--; schedule(); }`, `void f(int n) { while (source(n)) n--; schedule(); x++; }`, nil},
		{"in a function of the unit that it calls",
			`noinline void g(int n) { while (!source(n)) schedule(); } void f(int n) { g(n); x = 1; }`,
			`noinline void g(int n) { while (!source(n)) schedule(); } void f(int n) { g(n); x = 2; }`,
			[]string{"sleeps-forever f: calls g, which calls schedule in a loop: a task that waits there when the update is applied holds the transition up until it leaves"}},
		{"in a caller that is not replaced",
			`noinline void g(int n) { x = n; } void f(int n) { while (!source(n)) schedule(); g(n); }`,
			`noinline void g(int n) { x = n + 1; } void f(int n) { while (!source(n)) schedule(); g(n); }`, nil},
		{"in the new code only",
			`void f(int n) { x = n; }`, `void f(int n) { while (!source(n)) schedule(); }`,
			[]string{"sleeps-forever f: calls schedule in a loop: a task that waits there when the update is undone holds the transition up until it leaves"}},
		{"two functions that call each other",
			`void f(int n); noinline void g(int n) { if (n) f(n - 1); x = n; } void f(int n) { g(n); x = 1; sink(&x); }`,
			`void f(int n); noinline void g(int n) { if (n) f(n - 1); x = n; } void f(int n) { g(n); x = 2; sink(&x); }`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(t, look(t, c.pre, c.post), c.want)
		})
	}
}

// TestEarly tells of tasks that count as switched while they are in old code, and then call new code.
func TestEarly(t *testing.T) {
	const cold = `void cold oops(void), cold slow(void); noinline void g(int n) { x = n; sink(&x); } `
	const changed = `void cold oops(void), cold slow(void); noinline void g(int n) { x = n + 1; sink(&x); } `
	const warning = "switched-early f: a task that sleeps in slow, called from f.cold of the old code, is switched all the same: livepatch looks for the function itself only. It goes on in the old code and calls the new g"
	for _, c := range []struct {
		name, pre, post string
		want            []string
	}{
		{"a cold part sleeps and calls another that is replaced",
			cold + `int f(int n) { if (unlikely(n)) { slow(); g(n); return 1; } x = n; return 0; }`,
			changed + `int f(int n) { if (unlikely(n)) { slow(); g(n); return 1; } x = n + 2; return 0; }`, []string{warning}},
		{"it goes back to the function, which calls that",
			cold + `int f(int n) { if (unlikely(n)) slow(); x = source(n); g(n); return x; }`,
			changed + `int f(int n) { if (unlikely(n)) slow(); x = source(n) + 2; g(n); return x; }`, []string{warning}},
		{"the other is not replaced",
			cold + `int f(int n) { if (unlikely(n)) { slow(); g(n); return 1; } x = n; return 0; }`,
			cold + `int f(int n) { if (unlikely(n)) { slow(); g(n); return 1; } x = n + 2; return 0; }`, nil},
		{"it is called before",
			cold + `int f(int n) { g(n); if (unlikely(n)) { slow(); return 1; } x = n; return 0; }`,
			changed + `int f(int n) { g(n); if (unlikely(n)) { slow(); return 1; } x = n + 2; return 0; }`, nil},
		{"a message does not sleep",
			`int cold printk(const char *, ...); ` + cold + `int f(int n) { if (unlikely(n)) { printk("no"); g(n); return 1; } x = n; return 0; }`,
			`int cold printk(const char *, ...); ` + changed + `int f(int n) { if (unlikely(n)) { printk("no"); g(n); return 1; } x = n + 2; return 0; }`, nil},
		{"no cold part", // the task has f on its stack
			cold + `void hot(void); int f(int n) { hot(); g(n); x = n; return 0; }`,
			changed + `void hot(void); int f(int n) { hot(); g(n); x = n + 2; return 0; }`, nil},
		{"a function that is gone, reached by a jump",
			cold + `static noinline int h(int n) { slow(); g(n); sink(&n); return x; } int f(int n) { x = n; return h(n); }`,
			changed + `int f(int n) { x = n; slow(); g(n); return x; }`,
			[]string{strings.ReplaceAll(warning, "f.cold", "h")}},
		{"the same, reached by a call",
			cold + `static noinline int h(int n) { slow(); g(n); sink(&n); return x; } int f(int n) { x = n; return h(n) + 1; }`,
			changed + `int f(int n) { x = n; slow(); g(n); return x; }`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(t, look(t, c.pre, c.post), c.want)
		})
	}
}

// TestNotFollowed passes over what cannot be decoded.
func TestNotFollowed(t *testing.T) {
	check(t, look(t, `void f(int n) { asm volatile(".byte 0x06"); }`, `void f(int n) { asm volatile(".byte 0x06; nop"); }`), nil)
}

func TestString(t *testing.T) {
	w := finding.Warning{Code: finding.LockAdded, Unit: "a.c", Subject: "f", Reason: "takes it", Remedy: "look at it"}
	if got, want := w.String(), "a.c: f: takes it [lock-added]; look at it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.Source = "a.c:7"
	if got, want := w.String(), "a.c:7: f: takes it [lock-added]; look at it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
