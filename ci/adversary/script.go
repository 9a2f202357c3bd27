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
	stepApply  = "apply"   // insmod, and the transition
	stepProbe  = "probe"   // by new code
	stepUnload = "unload"  // the unit's modules, if they come again
	stepReload = "reload"  // the same modules, while the update is there
	stepAgain  = "again"   // setup and probe in them
	stepUndo   = "undo"    // the transition back, and rmmod
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

// operate writes lines to the driver and reads what came of them. A line that the kernel does not come back from leaves the
// rest unwritten.
func operate(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "echo '%s' > /proc/adversary\n", l)
	}
	return b.String() + "cat /proc/adversary\n"
}

// applyScript loads an update and waits for the end of its transition.
const applyScript = `insmod /root/%[1]s.ko || echo "insmod: $?"
dir=/sys/kernel/livepatch/%[1]s
for i in $(seq 600); do [ "$(cat $dir/transition)" = 0 ] && break; sleep 0.05; done
[ "$(cat $dir/transition)" = 0 ] || { echo "transition does not end"; cat /proc/[0-9]*/stack; }
`

// renewScript enables an update that stayed loaded: its module does so itself. The kernel holds it for a moment after undo.
const renewScript = `dir=/sys/kernel/livepatch/%[1]s
for i in $(seq 100); do echo 1 > /sys/module/%[1]s/parameters/enable && break; sleep 0.05; done 2>/dev/null
for i in $(seq 600); do [ "$(cat $dir/transition)" = 0 ] && break; sleep 0.05; done
[ "$(cat $dir/transition)" = 0 ] || echo "not enabled again"
`

// undoScript disables it, waits until it has gone and unloads it.
const undoScript = `dir=/sys/kernel/livepatch/%[1]s
echo 0 > $dir/enabled || echo "not disabled"
for i in $(seq 600); do [ -d $dir ] || break; sleep 0.05; done
[ ! -d $dir ] || { echo "transition does not end"; cat /proc/[0-9]*/stack; }
`

// unloadScript unloads a disabled update. The kernel needs a moment until it lets it go.
const unloadScript = `for i in $(seq 100); do rmmod %[1]s 2>/dev/null && break; sleep 0.05; done
[ ! -d /sys/module/%[1]s ] || echo "not unloaded"
`

// steps are those of an update on a machine; module is the update's, unloads whether it may be unloaded.
func (u *update) steps(m machine, module string, unloads bool) (all []step) {
	add := func(name, shell string) { all = append(all, step{name, shell}) }
	var load, unload string
	for _, name := range u.modules {
		load += "modprobe " + name + " || echo \"modprobe: $?\"\n"
		unload = "rmmod " + name + " || echo \"rmmod: $?\"\n" + unload
	}
	apply := func() {
		if m == live {
			add(stepApply, fmt.Sprintf(applyScript, module))
		}
	}
	if u.Order == updateFirst {
		apply()
	}
	add(stepLoad, load)
	add(stepSetup, operate(u.setup))
	if u.Order != updateFirst {
		apply()
	}
	add(stepProbe, operate(u.probe))
	if u.Order == bothWays {
		add(stepUnload, unload)
		add(stepReload, load)
		add(stepAgain, operate(append(append([]string{}, u.setup...), u.probe...)))
	}
	if m == reference {
		add(stepEnd, unload)
		return all
	}
	undo, renew := fmt.Sprintf(undoScript, module), fmt.Sprintf(renewScript, module)
	if unloads {
		undo += fmt.Sprintf(unloadScript, module)
		renew = fmt.Sprintf(applyScript, module)
	}
	if m == live {
		add(stepUndo, undo)
	}
	add(stepUndone, operate(u.undone))
	if m == live && u.Twice {
		add(stepTwice, renew+"{\n"+operate(u.probe)+"} > /dev/null\n"+undo)
	}
	add(stepEnd, unload)
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
