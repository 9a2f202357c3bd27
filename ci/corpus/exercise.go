package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"livesplice/ci/vm"
	"livesplice/kmod/livepatch"
	"livesplice/pipeline/verify"
)

// update is one module of a corpus.
type update struct {
	file    string // the source file that it was made of
	name    string // as lsmod shows it
	path    string // the .ko
	objects []verify.Object
	stays   bool // after undo its module stays loaded: something may come back to it
}

// verdict is what a machine made of an update.
type verdict struct {
	Problems []string `json:"problems,omitempty"` // none: all went well
	// Absent are the target modules that do not load in the machine, most for want of their hardware: the update was loaded, but
	// nothing of these was there to be patched.
	Absent []string `json:"absent,omitempty"`
	// Late are the target modules that were loaded a second time after the update was, and patched then.
	Late []string `json:"late,omitempty"`
}

func (v *verdict) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

// undo disables an update, waits until it has gone and unloads it where that may be.
func (u update) undo() string {
	script := fmt.Sprintf(`dir=/sys/kernel/livepatch/%s
echo 0 > $dir/enabled || exit 2
for i in $(seq 600); do [ -d $dir ] || break; sleep 0.1; done
[ ! -d $dir ]`, u.name)
	if !u.stays {
		script += " && rmmod " + u.name
	}
	return script
}

// exercise loads an update, awaits its transition, sees that each of its functions is redirected, undoes and unloads it,
// and reads the kernel's log. Targets that are modules are loaded before, and, where they can be unloaded, once more
// while the update is there. An error is the machine's end.
func exercise(ctx context.Context, m verify.Machine, u update) (v verdict, err error) {
	if err := m.CopyIn(ctx, u.path, "/root/"+u.name+".ko"); err != nil {
		return v, err
	}
	mark, err := m.Mark(ctx)
	if err != nil {
		return v, err
	}
	loaded, err := v.loadTargets(ctx, m, u)
	if err != nil {
		return v, err
	}
	own, err := m.Warnings(ctx, mark) // what the target modules have to say without an update
	if err != nil {
		return v, err
	}
	before, err := verify.Redirected(ctx, m)
	if err != nil {
		return v, err
	}
	if err := v.cycle(ctx, m, u, before, loaded, nil); err != nil {
		return v, err
	}
	if late := v.unloadTargets(ctx, m, u, loaded); len(v.Problems) == 0 && len(late) > 0 {
		if err := v.cycle(ctx, m, u, before, loaded, late); err != nil {
			return v, err
		}
		v.Late = late
	}
	warnings, err := m.Warnings(ctx, mark)
	for _, w := range warnings {
		if !slices.ContainsFunc(own, func(o vm.LogLine) bool { return o.Text == w.Text }) {
			v.problem("log: %s", w)
		}
	}
	if _, err := m.Run(ctx, "rm /root/"+u.name+".ko"); err != nil {
		return v, err
	}
	return v, err
}

// loadTargets loads the modules that an update patches; vmlinux counts as loaded.
func (v *verdict) loadTargets(ctx context.Context, m verify.Machine, u update) (loaded []string, err error) {
	for _, o := range u.objects {
		if o.Name == livepatch.VMLinux {
			loaded = append(loaded, o.Name)
			continue
		}
		res, err := m.Run(ctx, "modprobe "+o.Name)
		if err != nil {
			return nil, err
		}
		if res.ExitCode != 0 {
			v.Absent = append(v.Absent, o.Name)
			continue
		}
		loaded = append(loaded, o.Name)
	}
	return loaded, nil
}

// unloadTargets unloads the target modules that nothing holds.
func (v *verdict) unloadTargets(ctx context.Context, m verify.Machine, u update, loaded []string) (late []string) {
	for _, name := range loaded {
		if name == livepatch.VMLinux {
			continue
		}
		if res, err := m.Run(ctx, "rmmod "+name); err == nil && res.ExitCode == 0 {
			late = append(late, name)
		}
	}
	return late
}

// cycle loads the update, then the late modules, looks, undoes and unloads. before is what was redirected without it.
func (v *verdict) cycle(ctx context.Context, m verify.Machine, u update, before, loaded, late []string) error {
	apply := "insmod /root/" + u.name + ".ko"
	if u.stays && late != nil { // from the first time
		apply = fmt.Sprintf("echo 1 > /sys/module/%s/parameters/enable", u.name)
	}
	steps := []string{apply, verify.Settle(u.name)}
	for _, name := range late {
		steps = append(steps, "modprobe "+name)
	}
	for _, s := range append(steps, verify.Work) {
		res, err := m.Run(ctx, s)
		if err != nil {
			return err
		}
		if res.ExitCode != 0 {
			v.problem("%s: exit code %d: %s", strings.SplitN(s, "\n", 2)[0], res.ExitCode, strings.TrimSpace(res.Stdout+res.Stderr))
			_, err := m.Run(ctx, u.undo())
			return err
		}
	}
	problems, err := verify.Patched(ctx, m, u.name, u.objects, loaded, before)
	if v.Problems = append(v.Problems, problems...); err != nil {
		return err
	}
	res, err := m.Run(ctx, u.undo())
	if err != nil {
		return err
	}
	if res.ExitCode != 0 {
		v.problem("undo: exit code %d: %s", res.ExitCode, strings.TrimSpace(res.Stdout+res.Stderr))
	}
	after, err := verify.Redirected(ctx, m)
	if !slices.Equal(after, before) {
		v.problem("after undo: ftrace redirects %q, want %q", after, before)
	}
	return err
}
