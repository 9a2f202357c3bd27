package livepatch

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Blocker is a task that holds a transition up: the kernel could not yet switch
// it, since it sleeps in a function that is being replaced, or its stack cannot
// be read reliably.
type Blocker struct {
	PID  int    `json:"pid"`
	TID  int    `json:"tid"`
	Comm string `json:"comm"`
	// Stack holds the functions of its kernel stack, the innermost first, as
	// /proc/<pid>/task/<tid>/stack shows them. Empty where the kernel does not
	// show it.
	Stack []string `json:"stack,omitempty"`
}

// String names the task. The name is quoted: any program may choose its own.
func (b Blocker) String() string {
	s := fmt.Sprintf("task %d %q", b.TID, b.Comm)
	if len(b.Stack) > 0 {
		s += " in " + b.Stack[0]
	}
	return s
}

// maxStack is how many lines of a task's stack are kept.
const maxStack = 32

// Transitioning returns the livepatch whose transition is in progress, or nil.
// The kernel has one transition at a time.
func (h *Host) Transitioning() (*Livepatch, error) {
	all, err := h.Livepatches()
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if l.Transition {
			return &l, nil
		}
	}
	return nil, nil
}

// Blockers returns the tasks that hold up the transition of l, by thread ID. A
// task does when its patch_state is neither -1 nor the state that l goes to.
// Tasks that /proc does not show, the idle ones, are not among them.
// Source: Documentation/livepatch/livepatch.rst, v6.1.
func (h *Host) Blockers(l Livepatch) []Blocker {
	target := "0"
	if l.Enabled {
		target = "1"
	}
	var found []Blocker
	for _, pid := range h.numbers("proc") {
		for _, tid := range h.numbers("proc", strconv.Itoa(pid), "task") {
			task := "proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid)
			state, err := h.attr(task, "patch_state")
			if err != nil || state == "-1" || state == target {
				continue // It ended, or it is where it should be.
			}
			b := Blocker{PID: pid, TID: tid}
			b.Comm, _ = h.attr(task, "comm")
			stack, _ := h.attr(task, "stack")
			b.Stack = stackFunctions(stack)
			found = append(found, b)
		}
	}
	slices.SortFunc(found, func(a, b Blocker) int { return cmp.Compare(a.TID, b.TID) })
	return found
}

// numbers returns the numeric names in a folder below Root.
func (h *Host) numbers(elem ...string) []int {
	entries, err := os.ReadDir(h.path(elem...))
	if err != nil {
		return nil
	}
	var found []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			found = append(found, n)
		}
	}
	return found
}

// stackFunctions takes the functions out of the lines of a stack file:
// "[<0>] do_nanosleep+0x6c/0x160" gives "do_nanosleep+0x6c/0x160".
func stackFunctions(text string) []string {
	var functions []string
	for line := range strings.Lines(text) {
		if len(functions) == maxStack {
			break
		}
		if _, f, ok := strings.Cut(strings.TrimSpace(line), "] "); ok {
			functions = append(functions, f)
		}
	}
	return functions
}
