package verify

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"livesplice/ci/vm"
	"livesplice/kmod/livepatch"
)

// Machine is a booted kernel; *vm.VM is one.
type Machine interface {
	Run(ctx context.Context, script string) (vm.Result, error)
	CopyIn(ctx context.Context, hostPath, guestPath string) error
	Mark(ctx context.Context) (uint64, error)
	Warnings(ctx context.Context, mark uint64) ([]vm.LogLine, error)
}

// Object is the kernel image or a module, with the functions that an update replaces in it.
type Object struct {
	Name      string   `json:"name"`
	Functions []string `json:"functions"` // with their sympos, as livepatch's folders in sysfs are named: "tcp_rcv_established,1"; sorted
}

// Objects are those of an update.
func Objects(m *livepatch.Manifest) []Object {
	var all []Object
	for _, o := range m.Objects {
		one := Object{Name: o.Name}
		for _, f := range o.Functions {
			// Source: klp_init_func, kernel/livepatch/core.c, v6.1: a function's folder is <name>,<sympos>, 1 for 0.
			one.Functions = append(one.Functions, fmt.Sprintf("%s,%d", f.Name, max(f.SymPos, 1)))
		}
		slices.Sort(one.Functions)
		all = append(all, one)
	}
	return all
}

// The scripts that a machine runs.
const (
	// Prepare makes ftrace's files readable.
	Prepare = "mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing"
	// Work gives the patched kernel something to do. A process may end before its file is read.
	Work = "ls -l /etc > /dev/null; cat /proc/[0-9]*/stat > /dev/null 2>&1; cat /proc/meminfo /proc/version > /dev/null"
)

// Settle is a script that waits for the end of an update's transition, up to a minute; then it names who stands in the way.
func Settle(module string) string {
	return fmt.Sprintf(`cd /sys/kernel/livepatch/%s || exit 2
for i in $(seq 600); do [ "$(cat transition)" = 0 ] && exit 0; sleep 0.1; done
for t in /proc/[0-9]*/task/*; do
	[ "$(cat $t/patch_state 2>/dev/null)" = $((1 - $(cat enabled))) ] && { cat $t/comm; cat $t/stack; }
done
exit 1`, module)
}

// Patched compares livepatch's folders of an update and ftrace's list with what the update says of itself. loaded are the
// objects that are there, before what was redirected without the update.
func Patched(ctx context.Context, m Machine, module string, objects []Object, loaded, before []string) (problems []string, err error) {
	want := slices.Clone(before)
	for _, o := range objects {
		res, err := m.Run(ctx, fmt.Sprintf("cd /sys/kernel/livepatch/%s/%s && { [ ! -e patched ] || cat patched; } && ls", module, o.Name))
		if err != nil {
			return problems, err
		}
		there := slices.Contains(loaded, o.Name)
		state := map[bool]string{true: "1", false: "0"}[there]
		got := strings.Fields(res.Stdout)
		listing := slices.Clone(o.Functions)
		if slices.Contains(got, "patched") || res.ExitCode != 0 { // livepatch has that since 6.1; before, ftrace's list tells
			listing = append(listing, "patched", state)
		}
		if !sameSet(got, listing) {
			problems = append(problems, fmt.Sprintf("object %s: patched and its folder: %q, want %q", o.Name, got, listing))
		}
		for _, f := range o.Functions {
			if there {
				name, _, _ := strings.Cut(f, ",")
				want = append(want, ftraceName(name, o.Name))
			}
		}
	}
	got, err := Redirected(ctx, m)
	if slices.Sort(want); err == nil && !slices.Equal(got, want) {
		problems = append(problems, fmt.Sprintf("ftrace redirects %q, want %q", got, want))
	}
	return problems, err
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

// Redirected are the functions that livepatch redirects, sorted. The machine has run Prepare.
func Redirected(ctx context.Context, m Machine) ([]string, error) {
	res, err := m.Run(ctx, "cat /sys/kernel/tracing/enabled_functions")
	if err == nil && res.ExitCode != 0 {
		err = fmt.Errorf("ftrace's list of functions: %s", strings.TrimSpace(res.Stderr))
	}
	var names []string
	for _, l := range redirectedLine.FindAllStringSubmatch(res.Stdout, -1) {
		names = append(names, l[1])
	}
	slices.Sort(names)
	return names, err
}
