package livepatch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Occupant is a task that may still run text of a module: some is on its kernel
// stack, or the stack could not be seen whole.
type Occupant struct {
	PID  int    `json:"pid"`
	TID  int    `json:"tid"`
	Comm string `json:"comm"`
	// In is the function of the module that the task has to leave, as its stack
	// shows it; empty when the stack was not seen.
	In string `json:"in,omitempty"`
	// Unseen says why the stack was not seen; empty when In is not.
	Unseen string `json:"unseen,omitempty"`
}

// String says what is waited for. The task's name is quoted: any program may
// choose its own.
func (o Occupant) String() string {
	if o.In != "" {
		return fmt.Sprintf("task %d %q leaves %s", o.TID, o.Comm, o.In)
	}
	return fmt.Sprintf("the stack of task %d %q is seen (%s)", o.TID, o.Comm, o.Unseen)
}

const (
	// lookRounds is how often those that are not out of a module are looked at,
	// pollInterval apart: long enough for one that only passes through.
	lookRounds = 10
	// threadListings is how often a process whose threads come and go is looked
	// at in one round.
	threadListings = 5
	// displaceTime bounds the wait for a CPU on which something else runs. One
	// that was not to be had is not asked for again.
	displaceTime = time.Second
)

// occupants returns the tasks that may run text of module, whose livepatch must
// be gone: its transition is over and nothing enters the module's text anew, so
// that a task that was seen outside stays outside, and so do those that are born
// later. An empty answer is a proof for all tasks that /proc shows. What cannot be
// seen counts as inside.
//
// Not among them are the idle tasks, which livepatch saw in the idle loop, code
// that runs in interrupts, and tasks that have left /proc and are about to die:
// the module's exit waits for these by synchronize_rcu_tasks().
//
// It costs about 0.1 ms for each task, and a second when some are inside.
func (h *Host) occupants(ctx context.Context, module string) ([]Occupant, error) {
	if why := h.tasksHidden(); why != "" {
		return []Occupant{{Unseen: why}}, nil
	}
	l := h.newLook(module)
	left, err := h.processes()
	if err != nil {
		return nil, err
	}
	for round := 1; ; round++ {
		var found []Occupant
		var again []int
		for _, pid := range left {
			if ctx.Err() != nil {
				return interrupted, nil
			}
			if o := l.process(ctx, pid); len(o) > 0 {
				found, again = append(found, o...), append(again, pid)
			}
		}
		if len(found) == 0 || round == lookRounds {
			return found, nil
		}
		if h.Kernel.Sleep(ctx, pollInterval) != nil {
			return interrupted, nil
		}
		left = again
	}
}

// interrupted is the answer to who loses patience.
var interrupted = []Occupant{{Unseen: "that was interrupted"}}

// processes returns the process IDs in /proc. A process that lives throughout is
// among them: the kernel walks them by number (proc_pid_readdir, fs/proc/base.c).
func (h *Host) processes() ([]int, error) {
	pids, err := h.readNumbers("proc")
	if err == nil && len(pids) == 0 {
		err = fmt.Errorf("folder %q: no process", h.path("proc"))
	}
	return pids, err
}

// readNumbers is numbers with the error.
func (h *Host) readNumbers(elem ...string) ([]int, error) {
	entries, err := os.ReadDir(h.path(elem...))
	if err != nil {
		return nil, err
	}
	found := make([]int, 0, len(entries))
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			found = append(found, n)
		}
	}
	return found, nil
}

// kthreadd is the kernel's second task in the machine's first PID namespace.
const kthreadd = "proc/2"

// tasksHidden returns why /proc does not show all tasks with their stacks, or "".
func (h *Host) tasksHidden() string {
	if ns, err := os.Readlink(h.path("proc/self/ns/pid")); err == nil && ns != initialPIDNamespace {
		return "not seen from this PID namespace"
	}
	stat, err := h.attr(kthreadd, "stat")
	if err != nil || !strings.HasPrefix(stat, "2 (kthreadd) ") {
		return "/proc is that of another PID namespace, or hides kernel threads"
	}
	if !h.exists(kthreadd, "stack") {
		return "this kernel shows no stacks: it is built without CONFIG_STACKTRACE"
	}
	if mounts, err := h.attr("proc/self/mountinfo"); err != nil || hidesProcesses(mounts) {
		// The capability overrides it, unless a security module says no.
		return h.fewerThanThereAre()
	}
	return ""
}

// hidesProcesses says whether the procfs at /proc is mounted so that it shows no
// processes of others. Source: Documentation/filesystems/proc.rst, v6.1.
func hidesProcesses(mountinfo string) bool {
	hides := false
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		i := slices.Index(fields, "-")
		if len(fields) < 5 || fields[4] != "/proc" || i < 0 || i+3 >= len(fields) || fields[i+1] != "proc" {
			continue
		}
		hides = false // of several mounts the last is on top
		for _, option := range strings.Split(fields[i+3], ",") {
			value, ok := strings.CutPrefix(option, "hidepid=")
			hides = hides || ok && !slices.Contains([]string{"0", "off", "1", "noaccess"}, value)
		}
	}
	return hides
}

// fewerThanThereAre returns why not all tasks are seen, or "", by the number of
// tasks that the kernel gives in /proc/loadavg. Those that come meanwhile need not
// be seen, those that go were there before.
func (h *Host) fewerThanThereAre() string {
	var seen, there int
	for range 3 {
		there = h.threadCount()
		pids, _ := h.processes()
		seen = 0
		for _, pid := range pids {
			tids, _ := h.readNumbers("proc", strconv.Itoa(pid), "task")
			seen += len(tids)
		}
		if there = min(there, h.threadCount()); there > 0 && seen >= there {
			return ""
		}
	}
	return fmt.Sprintf("/proc is mounted with hidepid and shows %d of %d tasks", seen, there)
}

// threadCount is the number of threads of the machine, 0 when it is not known.
// Source: fs/proc/loadavg.c, v5.10 to v7.2: "0.00 0.01 0.05 1/345 6789".
func (h *Host) threadCount() int {
	text, _ := h.attr("proc/loadavg")
	if fields := strings.Fields(text); len(fields) == 5 {
		_, total, _ := strings.Cut(fields[3], "/")
		n, _ := strconv.Atoi(total)
		return n
	}
	return 0
}

// look is one search for the tasks that are in a module.
type look struct {
	*Host
	module string
	// start and end are the module's addresses; 0 when the kernel does not say.
	start, end uint64
	// orc says that the kernel unwinds through interrupts and faults without a
	// gap, which frame pointers do not.
	orc bool
	// taken are the CPUs that were not to be had.
	taken map[int]error
}

func (h *Host) newLook(module string) *look {
	l := &look{Host: h, module: module, taken: make(map[int]error)}
	modules, _ := h.attr("proc/modules")
	l.start, l.end = moduleRange(modules, module)
	release, _ := h.Release()
	config, err := os.ReadFile(h.path("boot/config-" + release))
	l.orc = err == nil && slices.Contains(strings.Split(string(config), "\n"), "CONFIG_UNWINDER_ORC=y")
	return l
}

// moduleRange finds a module's addresses in the text of /proc/modules: its text
// begins at the address, its size is that of all its parts.
func moduleRange(text, module string) (start, end uint64) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 6 || f[0] != module {
			continue
		}
		size, _ := strconv.ParseUint(f[1], 10, 64)
		start, _ = strconv.ParseUint(strings.TrimPrefix(f[5], "0x"), 16, 64)
		if start != 0 {
			return start, start + size
		}
	}
	return 0, 0
}

// process looks at all threads of a process. What it says holds if each thread
// that was listed is listed still afterwards: then none ended while the kernel
// made the list, which would have left another one out, and none took over the
// number of the first thread, as the thread does that calls execve().
// Source: first_tid and next_tid, fs/proc/base.c; de_thread, fs/exec.c, v6.1.
func (l *look) process(ctx context.Context, pid int) []Occupant {
	dir := "proc/" + strconv.Itoa(pid) + "/task"
	tids, err := l.readNumbers(dir)
	for range threadListings {
		if ended(err) {
			return nil
		}
		var found []Occupant
		for _, tid := range tids {
			if o := l.thread(ctx, pid, tid); o.In != "" || o.Unseen != "" {
				found = append(found, o)
			}
		}
		var after []int
		if after, err = l.readNumbers(dir); err == nil && containsAll(after, tids) {
			return found
		}
		tids = after
	}
	why := "its threads come and go"
	if err != nil {
		why = err.Error()
	}
	return []Occupant{{PID: pid, TID: pid, Comm: l.comm(pid, pid), Unseen: why}}
}

func containsAll(list, wanted []int) bool {
	return !slices.ContainsFunc(wanted, func(n int) bool { return !slices.Contains(list, n) })
}

// ended says whether an error of /proc tells that the task is no more.
func ended(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

func (h *Host) comm(pid, tid int) string {
	comm, _ := h.attr("proc", strconv.Itoa(pid), "task", strconv.Itoa(tid), "comm")
	return comm
}

// thread looks at one thread. Neither In nor Unseen is set for one that is out
// of the module.
func (l *look) thread(ctx context.Context, pid, tid int) Occupant {
	task := "proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid)
	in, unseen := l.sight(task)
	if unseen == running {
		in, unseen = l.displaced(ctx, task)
	}
	if in == "" && unseen == "" {
		return Occupant{}
	}
	return Occupant{PID: pid, TID: tid, Comm: l.comm(pid, tid), In: in, Unseen: unseen}
}

// running is why a stack is empty: the kernel shows none of a task that runs on
// another CPU. Source: __unwind_start, arch/x86/kernel/unwind_orc.c, v6.1.
const running = "it runs"

// sight reads a task's stack: in is the function of the module on it, unseen why
// nothing can be said. The kernel does not hold the task while it unwinds, so what
// is shown counts only if the task did not get a CPU meanwhile.
func (l *look) sight(task string) (in, unseen string) {
	for range 3 {
		before := l.timeslices(task)
		text, err := l.attr(task, "stack")
		switch {
		case ended(err):
			return "", ""
		case err != nil:
			return "", err.Error()
		case text == "":
			return "", l.emptyStack(task)
		}
		if in, unseen = l.judge(text); in != "" {
			return in, ""
		}
		if before != "" && before == l.timeslices(task) {
			return in, unseen
		}
		if again, err := l.attr(task, "stack"); before == "" && err == nil && again == text {
			return in, unseen
		}
		unseen = "it ran while its stack was read"
	}
	return "", unseen
}

// timeslices is how often a task was given a CPU, "" where the kernel does not
// count. Source: proc_pid_schedstat, fs/proc/base.c, v5.10 to v7.2; the count goes
// up as the task is given a CPU (sched_info_arrive, kernel/sched/stats.h).
func (l *look) timeslices(task string) string {
	text, _ := l.attr(task, "schedstat")
	fields := strings.Fields(text)
	if len(fields) != 3 || fields[2] == "0" {
		return ""
	}
	return fields[2]
}

// emptyStack says why a task shows no stack: "" for one that is dead.
func (l *look) emptyStack(task string) string {
	stat, err := l.attr(task, "stat")
	switch state, _ := statFields(stat); {
	case ended(err):
		return ""
	case err != nil:
		return err.Error()
	case state == "Z" || state == "X":
		return "" // What is left of its exit, the module's exit waits for.
	}
	return running
}

// statFields takes state and CPU out of the text of a stat file, -1 for none.
// Source: do_task_stat, fs/proc/array.c: the name is the second field, in
// parentheses and with anything in it; the state is the third, the CPU the 39th.
func statFields(text string) (state string, cpu int) {
	rest := text[strings.LastIndexByte(text, ')')+1:]
	fields := strings.Fields(rest)
	if len(fields) < 37 {
		return "", -1
	}
	cpu, err := strconv.Atoi(fields[36])
	if err != nil {
		cpu = -1
	}
	return fields[0], cpu
}

// displaced looks at a task that runs, by taking its CPU for a moment: then it is
// somewhere in the kernel or on its way out of it, with a stack that shows.
func (l *look) displaced(ctx context.Context, task string) (in, unseen string) {
	for range 3 {
		stat, err := l.attr(task, "stat")
		if ended(err) {
			return "", ""
		}
		_, cpu := statFields(stat)
		if err != nil || cpu < 0 {
			return "", running
		}
		if l.taken[cpu] == nil {
			l.taken[cpu] = l.Kernel.OnCPU(ctx, cpu, displaceTime, func() { in, unseen = l.sight(task) })
		}
		if err := l.taken[cpu]; err != nil {
			return "", fmt.Sprintf("it runs on CPU %d: %v", cpu, err)
		}
		if unseen != running {
			return in, unseen
		}
	}
	return "", running
}
