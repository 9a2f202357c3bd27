package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"livesplice/ci/vm"
	"livesplice/kmod/livepatch"
	"livesplice/pipeline/corpus"
)

// update is one module of a corpus.
type update struct {
	file    string // the source file that it was made of
	name    string // as lsmod shows it
	path    string // the .ko
	objects []corpus.Object
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

// machine is a booted kernel with the module loader at hand.
type machine interface {
	Run(ctx context.Context, script string) (vm.Result, error)
	CopyIn(ctx context.Context, hostPath, guestPath string) error
	Mark(ctx context.Context) (uint64, error)
	Warnings(ctx context.Context, mark uint64) ([]vm.LogLine, error)
}

// prepare makes ftrace's files readable.
const prepare = "mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing"

// waitScript waits for the end of the transition of $name, up to a minute; then it names who stands in the way.
const waitScript = `cd /sys/kernel/livepatch/%[1]s || exit 2
for i in $(seq 600); do [ "$(cat transition)" = 0 ] && exit 0; sleep 0.1; done
for t in /proc/[0-9]*/task/*; do
	[ "$(cat $t/patch_state 2>/dev/null)" = $((1 - $(cat enabled))) ] && { cat $t/comm; cat $t/stack; }
done
exit 1`

// undoScript disables an update, waits until it has gone and unloads it.
const undoScript = `dir=/sys/kernel/livepatch/%[1]s
echo 0 > $dir/enabled || exit 2
for i in $(seq 600); do [ -d $dir ] || break; sleep 0.1; done
[ ! -d $dir ] && rmmod %[1]s`

// work gives the patched kernel something to do.
const work = "ls -l /etc > /dev/null; cat /proc/[0-9]*/stat /proc/meminfo /proc/version > /dev/null"

// exercise loads an update, awaits its transition, sees that each of its functions is redirected, undoes and unloads it,
// and reads the kernel's log. Targets that are modules are loaded before, and, where they can be unloaded, once more
// while the update is there. An error is the machine's end.
func exercise(ctx context.Context, m machine, u update) (v verdict, err error) {
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
	before, err := redirected(ctx, m)
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
func (v *verdict) loadTargets(ctx context.Context, m machine, u update) (loaded []string, err error) {
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
func (v *verdict) unloadTargets(ctx context.Context, m machine, u update, loaded []string) (late []string) {
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
func (v *verdict) cycle(ctx context.Context, m machine, u update, before, loaded, late []string) error {
	steps := []string{"insmod /root/" + u.name + ".ko", fmt.Sprintf(waitScript, u.name)}
	for _, name := range late {
		steps = append(steps, "modprobe "+name)
	}
	for _, s := range append(steps, work) {
		res, err := m.Run(ctx, s)
		if err != nil {
			return err
		}
		if res.ExitCode != 0 {
			v.problem("%s: exit code %d: %s", strings.SplitN(s, "\n", 2)[0], res.ExitCode, strings.TrimSpace(res.Stdout+res.Stderr))
			_, err := m.Run(ctx, fmt.Sprintf(undoScript, u.name))
			return err
		}
	}
	if err := v.look(ctx, m, u, before, loaded); err != nil {
		return err
	}
	res, err := m.Run(ctx, fmt.Sprintf(undoScript, u.name))
	if err != nil {
		return err
	}
	if res.ExitCode != 0 {
		v.problem("undo: exit code %d: %s", res.ExitCode, strings.TrimSpace(res.Stdout+res.Stderr))
	}
	after, err := redirected(ctx, m)
	if !slices.Equal(after, before) {
		v.problem("after undo: ftrace redirects %q, want %q", after, before)
	}
	return err
}

// look compares livepatch's folders and ftrace's list with what the update says of itself.
func (v *verdict) look(ctx context.Context, m machine, u update, before, loaded []string) error {
	want := slices.Clone(before)
	for _, o := range u.objects {
		res, err := m.Run(ctx, fmt.Sprintf("cd /sys/kernel/livepatch/%s/%s && cat patched && ls", u.name, o.Name))
		if err != nil {
			return err
		}
		there := slices.Contains(loaded, o.Name)
		state := map[bool]string{true: "1", false: "0"}[there]
		got := strings.Fields(res.Stdout)
		if listing := append([]string{state}, append(slices.Clone(o.Functions), "patched")...); !sameSet(got, listing) {
			v.problem("object %s: patched and its folder: %q, want %q", o.Name, got, listing)
		}
		for _, f := range o.Functions {
			if there {
				name, _, _ := strings.Cut(f, ",")
				want = append(want, ftraceName(name, o.Name))
			}
		}
	}
	got, err := redirected(ctx, m)
	if slices.Sort(want); !slices.Equal(got, want) {
		v.problem("ftrace redirects %q, want %q", got, want)
	}
	return err
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// ftraceName is a function as ftrace's list names it: "f", or "f [ext4]".
func ftraceName(function, object string) string {
	if object == livepatch.VMLinux {
		return function
	}
	return function + " [" + object + "]"
}

// redirectedLine matches a function whose callers ftrace sends elsewhere, which only livepatch does: the I stands for
// IPMODIFY. "vfs_open (1) R I     \ttramp: 0xffffffffc0203000 (klp_ftrace_handler+0x0/0x1c0)".
//
// Source: t_show, kernel/trace/ftrace.c, v6.1 to v6.12.
var redirectedLine = regexp.MustCompile(`(?m)^(\S+(?: \[\S+\])?) \(\d+\)[ R]* I`)

// redirected are the functions that livepatch redirects, sorted.
func redirected(ctx context.Context, m machine) ([]string, error) {
	res, err := m.Run(ctx, "cat /sys/kernel/tracing/enabled_functions")
	var names []string
	for _, l := range redirectedLine.FindAllStringSubmatch(res.Stdout, -1) {
		names = append(names, l[1])
	}
	slices.Sort(names)
	return names, err
}
