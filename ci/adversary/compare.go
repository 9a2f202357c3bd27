package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ourLine is a line of the log that a unit printed.
const ourLine = "adv_log "

// warning is the kernel's report of a WARN: "WARNING: CPU: 0 PID: 98 at adversary/u003.c:12 u003a_f+0x1/0x2 [u003]". Only the
// function is compared: an update leaves code alone in which nothing but the line changes, and a new function is in another module.
var warning = regexp.MustCompile(`^WARNING: CPU: \d+ PID: \d+ at \S+ ([A-Za-z0-9_]+)`)

// trouble is how the kernel's reports of its own trouble begin.
//
// Source: kernel/panic.c, arch/x86/kernel/{traps,dumpstack}.c, mm/fault.c, kernel/livepatch/core.c, kernel/module/main.c, v6.1.
var trouble = regexp.MustCompile(`^(BUG: |Oops|general protection|Kernel panic|kernel BUG at |INFO: task |INFO: rcu|rcu: INFO|watchdog: BUG|traps: |` +
	`invalid opcode|refcount_t: |list_(add|del) corruption|stack segment|unchecked MSR|livepatch: (failed|.*invalid|.*not supported)|` +
	`.*Unknown symbol|.*Unknown rela|.*disagrees about|x86/modules: |static_call|jump_label|.*sleeping function|.*scheduling while atomic)`)

// loggedLine is what of a line of the log is compared; "": nothing.
func loggedLine(line string) string {
	if m := warning.FindStringSubmatch(line); m != nil {
		name, _, _ := strings.Cut(m[1], ".")
		return "WARNING in " + name
	}
	if strings.Contains(line, ourLine) || trouble.MatchString(line) {
		return line
	}
	return ""
}

// compare says in what an update's machine differs from the reference, in what new code does, and from the control, in what old
// code does before and after.
func compare(u *update, live, reference, control observations) (differences []string) {
	against := func(other observations, name string, steps ...string) {
		for _, s := range steps {
			differences = append(differences, differ(s, name, live.Output[s], other.Output[s])...)
			differences = append(differences, differ("log of "+s, name, live.Log[s], other.Log[s])...)
		}
	}
	nothing := observations{}
	if u.Order == updateFirst {
		against(reference, "reference", stepLoad)
	} else {
		against(control, "control", stepLoad, stepSetup)
	}
	against(nothing, "nothing", stepApply)
	against(reference, "reference", stepProbe, stepUnload, stepReload, stepAgain)
	against(nothing, "nothing", stepUndo)
	against(control, "control", stepUndone, stepEnd)
	differences = append(differences, differ(stepTwice, "nothing", live.Output[stepTwice], nil)...)
	for _, l := range live.Log[stepTwice] {
		if trouble.MatchString(l) {
			differences = append(differences, fmt.Sprintf("log of %s: %q", stepTwice, l))
		}
	}
	if _, ok := live.Output[stepEnd]; !ok {
		differences = append(differences, "the script did not come to its end")
	}
	return differences
}

// differ compares the lines of one step.
func differ(step, other string, got, want []string) []string {
	if slices.Equal(got, want) {
		return nil
	}
	for i := range max(len(got), len(want)) {
		g, w := lineAt(got, i), lineAt(want, i)
		if g != w {
			return []string{fmt.Sprintf("%s: line %d: %s, %s has %s", step, i+1, g, other, w)}
		}
	}
	return nil
}

func lineAt(lines []string, i int) string {
	if i >= len(lines) {
		return "none"
	}
	return fmt.Sprintf("%q", lines[i])
}
