package main

import (
	"fmt"
	"strings"
)

// A machine's script is steps in a row. Before each it prints a line "== NAME" to its output, and has the driver print one to the
// kernel's log, so that both can be taken apart.
type step struct {
	name  string
	shell string
}

// The steps of an update's script. What they print is compared step by step.
const (
	stepLoad   = "load"    // its modules
	stepSetup  = "setup"   // state, made by old code
	stepApply  = "apply"   // the transition
	stepProbe  = "probe"   // by new code
	stepUnload = "unload"  // the unit's modules, if they come again
	stepReload = "reload"  // the same modules, while the update is there
	stepAgain  = "again"   // setup and probe in them
	stepUndo   = "undo"    // the transition back, and unloading as far as that may be
	stepUndone = "undone"  // by old code
	stepTwice  = "twice"   // the update applied and probed once more: what the probe says is left out, it may have counted on
	stepEnd    = "removed" // the unit's modules
)

// machine is which kernel a script is for.
type machine int

const (
	live      machine = iota + 1 // the base kernel, with the update
	reference                    // the kernel built from the patched source
	control                      // the base kernel, without the update
)

// operate writes lines to the driver and reads what came of them. Those with an & go on in the background.
func operate(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		if op, background := strings.CutPrefix(l, "&"); background {
			fmt.Fprintf(&b, "echo '%s' > /proc/adversary &\nsleep 0.2\n", op)
		} else {
			fmt.Fprintf(&b, "echo '%s' > /proc/adversary\n", l)
		}
	}
	return b.String() + "cat /proc/adversary\n"
}

// The host's program does what it does on patched machines. What it says is shown if it fails; an update may have to wait.
const (
	applyScript = `/root/splicectl apply /root/%[1]s > /root/said 2>&1 || { echo "apply: $?"; cat /root/said; }
`
	undoScript = `/root/splicectl undo %[1]s > /root/said 2>&1 || { echo "undo: $?"; cat /root/said; }
`
)

// steps are those of an update on a machine; id is the update's.
func (u *update) steps(m machine, id string) (all []step) {
	add := func(name, shell string) { all = append(all, step{name, shell}) }
	var load, unload string
	for _, name := range u.modules {
		load += "modprobe " + name + " || echo \"modprobe: $?\"\n"
		unload = "rmmod " + name + " || echo \"rmmod: $?\"\n" + unload
	}
	apply, undo := fmt.Sprintf(applyScript, id), fmt.Sprintf(undoScript, id)
	if m == live && u.Order == updateFirst {
		add(stepApply, apply)
	}
	add(stepLoad, load)
	add(stepSetup, operate(u.setup))
	if m == live && u.Order != updateFirst {
		add(stepApply, apply)
	}
	add(stepProbe, operate(u.probe))
	if u.Order == bothWays {
		add(stepUnload, "wait\n"+unload)
		add(stepReload, load)
		add(stepAgain, operate(append(append([]string{}, u.setup...), u.probe...)))
	}
	if m != reference {
		if m == live {
			add(stepUndo, undo)
		}
		add(stepUndone, "wait\n"+operate(u.undone))
		if m == live && u.Twice {
			add(stepTwice, apply+"{\n"+operate(u.probe)+"} > /dev/null\n"+undo)
		}
	}
	add(stepEnd, "wait\n"+unload)
	return all
}

// script is the steps as one shell script.
func script(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "echo '== %[1]s'\necho '# %[1]s' > /proc/adversary\n%[2]s", s.name, s.shell)
	}
	return b.String()
}

// logMark is what the driver logs before each step.
const logMark = "adversary step "

// observations are what a script printed and what the kernel logged, by step.
type observations struct {
	Output map[string][]string `json:"output"`
	Log    map[string][]string `json:"log,omitempty"`
}

// observe takes a script's output and the log's lines apart.
func observe(output string, log []string) observations {
	o := observations{Output: map[string][]string{}, Log: map[string][]string{}}
	name := ""
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if n, ok := strings.CutPrefix(line, "== "); ok {
			name = n
			o.Output[name] = nil
			continue
		}
		o.Output[name] = append(o.Output[name], line)
	}
	name = ""
	for _, line := range log {
		if _, n, ok := strings.Cut(line, logMark); ok {
			name = n
			continue
		}
		if line = loggedLine(line); line != "" {
			o.Log[name] = append(o.Log[name], line)
		}
	}
	return o
}
