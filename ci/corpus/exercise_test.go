package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"livesplice/ci/vm"
	"livesplice/pipeline/verify"
)

// fakeMachine is a kernel in which one module can be loaded. broken changes what a script, known by its first word or by
// a part of it, gives.
type fakeMachine struct {
	u        update
	loaded   map[string]bool // target modules, and the update
	redirect []string        // lines of ftrace's list while the update is loaded
	broken   func(script string) (vm.Result, bool)
	warnings []vm.LogLine // Seq: how many scripts run before it
	ran      []string
}

func (f *fakeMachine) CopyIn(context.Context, string, string) error { return nil }
func (f *fakeMachine) Mark(context.Context) (uint64, error)         { return uint64(len(f.ran)), nil }
func (f *fakeMachine) Warnings(_ context.Context, mark uint64) ([]vm.LogLine, error) {
	return slices.DeleteFunc(slices.Clone(f.warnings), func(l vm.LogLine) bool { return l.Seq < mark || l.Seq > uint64(len(f.ran)) }), nil
}

func (f *fakeMachine) Run(_ context.Context, script string) (vm.Result, error) {
	f.ran = append(f.ran, strings.SplitN(script, "\n", 2)[0])
	if f.broken != nil {
		if r, ok := f.broken(script); ok {
			return r, nil
		}
	}
	word, rest, _ := strings.Cut(script, " ")
	switch {
	case word == "modprobe":
		f.loaded[rest] = true
	case word == "rmmod":
		delete(f.loaded, rest)
	case word == "insmod", strings.HasPrefix(script, "echo 1 > /sys/module/"+f.u.name):
		f.loaded[f.u.name] = true
	case strings.HasPrefix(script, "dir=/sys/kernel/livepatch/"):
		delete(f.loaded, f.u.name)
	case strings.HasPrefix(script, "cat /sys/kernel/tracing"):
		out := "schedule (1)           \ttramp: 0xffffffffc0203000 (function_trace_call+0x0/0x160)\n"
		for _, l := range f.redirect {
			_, module, inModule := strings.Cut(l, " [")
			module, _, _ = strings.Cut(module, "]")
			if f.loaded[f.u.name] && (!inModule || f.loaded[module]) {
				out += l + " (1) R I     \ttramp: 0xffffffffc0203000 (klp_ftrace_handler+0x0/0x1c0) ->klp_ftrace_handler+0x0/0x1c0\n"
			}
		}
		return vm.Result{Stdout: out}, nil
	case strings.Contains(script, "cat patched"):
		for _, o := range f.u.objects {
			if strings.Contains(script, "/"+o.Name+" ") {
				there := map[bool]int{true: 1}[f.loaded[o.Name] || o.Name == "vmlinux"]
				return vm.Result{Stdout: fmt.Sprintf("%d\n%s\npatched\n", there, strings.Join(o.Functions, "\n"))}, nil
			}
		}
	}
	return vm.Result{}, nil
}

func TestExercise(t *testing.T) {
	vmlinux := verify.Object{Name: "vmlinux", Functions: []string{"vfs_open,1", "do_open,2"}}
	ext4 := verify.Object{Name: "ext4", Functions: []string{"ext4_sync,1"}}
	exit := func(part string, code int, out string) func(string) (vm.Result, bool) {
		return func(script string) (vm.Result, bool) {
			return vm.Result{ExitCode: code, Stderr: out}, strings.Contains(script, part)
		}
	}
	all := []string{"vfs_open", "do_open", "ext4_sync [ext4]"}
	for _, c := range []struct {
		name     string
		objects  []verify.Object
		redirect []string
		broken   func(string) (vm.Result, bool)
		warnings []vm.LogLine
		problem  string // the beginning of the only one; "" for none
		absent   string
		late     string
		stays    bool
	}{
		{name: "vmlinux", objects: []verify.Object{vmlinux}, redirect: all[:2]},
		{name: "vmlinux and a module", objects: []verify.Object{vmlinux, ext4}, redirect: all, late: "ext4"},
		{name: "an update that stays loaded", objects: []verify.Object{vmlinux, ext4}, redirect: all, late: "ext4", stays: true,
			broken: func(s string) (vm.Result, bool) {
				return vm.Result{ExitCode: 1, Stderr: "still used"}, strings.Contains(s, "rmmod livesplice_1")
			}},
		{name: "a module in use", objects: []verify.Object{ext4}, redirect: all[2:], broken: exit("rmmod ext4", 1, "")},
		{name: "a module without its hardware", objects: []verify.Object{ext4}, broken: exit("modprobe", 1, ""), absent: "ext4"},
		{name: "a warning", objects: []verify.Object{vmlinux}, redirect: all[:2], problem: "log: <4>",
			warnings: []vm.LogLine{{Seq: 3, Level: 4, Text: "WARNING: CPU: 0"}}},
		{name: "a module that complains whenever it is loaded", objects: []verify.Object{ext4}, redirect: all[2:], late: "ext4",
			warnings: []vm.LogLine{{Seq: 1, Level: 3, Text: "ext4: no disk"}, {Seq: 9, Level: 3, Text: "ext4: no disk"}}},
		{name: "a module that complains of the update", objects: []verify.Object{ext4}, redirect: all[2:], late: "ext4", problem: "log: <3>",
			warnings: []vm.LogLine{{Seq: 1, Level: 3, Text: "ext4: no disk"}, {Seq: 9, Level: 3, Text: "livepatch: failed"}}},
		{name: "not loadable", objects: []verify.Object{vmlinux}, broken: exit("insmod", 1, "Unknown symbol"), problem: "insmod /root/livesplice_1.ko: exit code 1: Unknown symbol"},
		{name: "a transition that does not end", objects: []verify.Object{vmlinux}, broken: exit("transition", 1, "sshd"), problem: "cd /sys/kernel/livepatch/livesplice_1 || exit 2: exit code 1: sshd"},
		{name: "a function that is not redirected", objects: []verify.Object{vmlinux}, redirect: all[:1], problem: `ftrace redirects ["vfs_open"]`},
		{name: "one too many", objects: []verify.Object{vmlinux}, redirect: []string{"vfs_open", "do_open", "vfs_read"}, problem: `ftrace redirects ["do_open" "vfs_open" "vfs_read"]`},
		{name: "not unloadable", objects: []verify.Object{vmlinux}, redirect: all[:2], broken: exit("echo 0 >", 1, "busy"), problem: "undo: exit code 1: busy"},
		{name: "another folder", objects: []verify.Object{vmlinux}, redirect: all[:2], problem: "object vmlinux: patched and its folder",
			broken: func(s string) (vm.Result, bool) {
				return vm.Result{Stdout: "1\nvfs_open,1\npatched\n"}, strings.Contains(s, "cat patched")
			}},
		{name: "livepatch before 6.1", objects: []verify.Object{vmlinux}, redirect: all[:2],
			broken: func(s string) (vm.Result, bool) {
				return vm.Result{Stdout: "vfs_open,1\ndo_open,2\n"}, strings.Contains(s, "cat patched")
			}},
		{name: "livepatch before 6.1, another folder", objects: []verify.Object{vmlinux}, redirect: all[:2], problem: "object vmlinux: patched and its folder",
			broken: func(s string) (vm.Result, bool) {
				return vm.Result{Stdout: "vfs_open,1\n"}, strings.Contains(s, "cat patched")
			}},
		{name: "no folder", objects: []verify.Object{vmlinux}, redirect: all[:2], problem: "object vmlinux: patched and its folder",
			broken: func(s string) (vm.Result, bool) {
				return vm.Result{ExitCode: 2}, strings.Contains(s, "cat patched")
			}},
		{name: "not patched", objects: []verify.Object{vmlinux}, redirect: all[:2], problem: "object vmlinux: patched and its folder",
			broken: func(s string) (vm.Result, bool) {
				return vm.Result{Stdout: "0\nvfs_open,1\ndo_open,2\npatched\n"}, strings.Contains(s, "cat patched")
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := update{name: "livesplice_1", objects: c.objects, stays: c.stays}
			m := &fakeMachine{u: u, loaded: map[string]bool{}, redirect: c.redirect, broken: c.broken, warnings: c.warnings}
			v, err := exercise(t.Context(), m, u)
			if err != nil {
				t.Fatal(err)
			}
			if c.problem == "" && len(v.Problems) > 0 || c.problem != "" && (len(v.Problems) == 0 || !strings.HasPrefix(v.Problems[0], c.problem)) {
				t.Errorf("problems %q, want %q; it ran %q", v.Problems, c.problem, m.ran)
			}
			if a, l := strings.Join(v.Absent, " "), strings.Join(v.Late, " "); a != c.absent || l != c.late {
				t.Errorf("absent %q, late %q, want %q, %q", a, l, c.absent, c.late)
			}
		})
	}
}
