package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"livesplice/ci/vm"
	"livesplice/kmod/livepatch"
	"livesplice/pkgfmt"
)

// fakeMachine is a kernel that knows one update. broken changes what a script, known by a part of it, gives.
type fakeMachine struct {
	objects  []Object
	loaded   map[string]bool // target modules, and "update"
	broken   func(script string) (vm.Result, bool)
	warnings []vm.LogLine // Seq: how many scripts ran before it
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
	case script == "dpkg -i /root/u.deb", script == "splicectl apply 0badcafe":
		f.loaded["update"] = true
	case strings.HasPrefix(script, "dpkg -P "), script == "splicectl undo 0badcafe":
		delete(f.loaded, "update")
	case strings.HasPrefix(script, "cat /sys/kernel/tracing"):
		return vm.Result{Stdout: f.redirected()}, nil
	case strings.Contains(script, "cat patched"):
		for _, o := range f.objects {
			if strings.Contains(script, "/"+o.Name+" ") {
				there := map[bool]int{true: 1}[f.loaded[o.Name] || o.Name == livepatch.VMLinux]
				return vm.Result{Stdout: fmt.Sprintf("%d\n%s\npatched\n", there, strings.Join(o.Functions, "\n"))}, nil
			}
		}
	}
	return vm.Result{}, nil
}

func (f *fakeMachine) redirected() string {
	var out strings.Builder
	for _, o := range f.objects {
		if !f.loaded["update"] || o.Name != livepatch.VMLinux && !f.loaded[o.Name] {
			continue
		}
		for _, fn := range o.Functions {
			name, _, _ := strings.Cut(fn, ",")
			fmt.Fprintf(&out, "%s (1) R I     \ttramp: 0xffffffffc0203000 (klp_ftrace_handler+0x0/0x1c0)\n", ftraceName(name, o.Name))
		}
	}
	return out.String()
}

func TestRehearse(t *testing.T) {
	vmlinux := Object{Name: "vmlinux", Functions: []string{"do_open,2", "vfs_open,1"}}
	ext4 := Object{Name: "ext4", Functions: []string{"ext4_sync,1"}}
	exit := func(part string, code int, out string) func(string) (vm.Result, bool) {
		return func(script string) (vm.Result, bool) {
			return vm.Result{ExitCode: code, Stderr: out}, strings.Contains(script, part)
		}
	}
	all := "prepare install work undo apply late remove"
	for _, c := range []struct {
		name     string
		objects  []Object
		broken   func(string) (vm.Result, bool)
		warnings []vm.LogLine
		steps    string // those that went well, and the first that did not
		problem  string // the beginning of the first one
		held     bool   // its manifest says that something may hold the module
		absent   string
	}{
		{name: "vmlinux", objects: []Object{vmlinux}, steps: all},
		{name: "a module too", objects: []Object{vmlinux, ext4}, steps: all},
		{name: "a module without its hardware", objects: []Object{ext4}, broken: exit("modprobe", 1, ""), steps: all, absent: "ext4"},
		{name: "a module in use", objects: []Object{ext4}, broken: exit("rmmod", 1, "busy"), steps: all},
		{name: "splicectl does not install", objects: []Object{vmlinux}, broken: exit("dpkg -i /root/splicectl", 1, "no"), steps: "prepare",
			problem: "dpkg -i /root/splicectl.deb: exit code 1: no"},
		{name: "does not install", objects: []Object{vmlinux}, broken: exit("dpkg -i /root/u.deb", 1, "broken"), steps: "prepare install",
			problem: "dpkg -i /root/u.deb: exit code 1: broken"},
		{name: "installs and is not applied", objects: []Object{vmlinux}, broken: exit("cd /sys/kernel/livepatch/livesplice_0badcafe ||", 2, ""), steps: "prepare install",
			problem: "cd /sys/kernel/livepatch/livesplice_0badcafe || exit 2: exit code 2"},
		{name: "one function is not redirected", objects: []Object{vmlinux}, steps: "prepare install", problem: `ftrace redirects ["vfs_open"], want ["do_open" "vfs_open"]`,
			broken: func() func(string) (vm.Result, bool) {
				n := 0
				return func(s string) (vm.Result, bool) {
					if strings.HasPrefix(s, "cat /sys/kernel/tracing") {
						n++
					}
					return vm.Result{Stdout: "vfs_open (1) R I     \ttramp: 0x0\n"}, strings.HasPrefix(s, "cat /sys/kernel/tracing") && n == 2
				}
			}()},
		{name: "the module is not patched as it comes", objects: []Object{ext4}, steps: "prepare install work undo apply late", problem: "modprobe ext4: exit code 1",
			broken: func() func(string) (vm.Result, bool) {
				n := 0
				return func(s string) (vm.Result, bool) {
					if s == "modprobe ext4" {
						n++
					}
					return vm.Result{ExitCode: 1}, s == "modprobe ext4" && n == 2
				}
			}()},
		{name: "stays after its removal", objects: []Object{vmlinux}, steps: all, problem: `ftrace redirects ["do_open" "vfs_open"], want []`, broken: exit("dpkg -P", 0, "")},
		{name: "its module stays", objects: []Object{vmlinux}, steps: "prepare install work undo", problem: "/sys/module/livesplice_0badcafe is still there",
			broken: func(s string) (vm.Result, bool) {
				return vm.Result{Stdout: "/sys/module/livesplice_0badcafe\n"}, strings.HasPrefix(s, "ls -d /sys/")
			}},
		{name: "its module stays, as it has to", objects: []Object{vmlinux}, steps: all, held: true,
			broken: func(s string) (vm.Result, bool) {
				return vm.Result{Stdout: "/sys/module/livesplice_0badcafe\n"}, strings.HasPrefix(s, "ls -d /sys/") && strings.Contains(s, "/sys/module/")
			}},
		{name: "its files stay", objects: []Object{vmlinux}, steps: all, problem: "/usr/lib/livesplice/00/0badcafe is still there",
			broken: func(s string) (vm.Result, bool) {
				return vm.Result{Stdout: "/usr/lib/livesplice/00/0badcafe\n"}, strings.HasPrefix(s, "ls -d '/usr/")
			}},
		{name: "a warning as it is applied", objects: []Object{vmlinux}, steps: "prepare install", problem: "kernel log: <4>",
			warnings: []vm.LogLine{{Seq: 5, Level: 4, Text: "WARNING: CPU: 0"}}},
		{name: "a module that complains whenever it is loaded", objects: []Object{ext4}, steps: all,
			warnings: []vm.LogLine{{Seq: 3, Level: 3, Text: "ext4: no disk"}, {Seq: 20, Level: 3, Text: "ext4: no disk"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &fakeMachine{objects: c.objects, loaded: map[string]bool{}, broken: c.broken, warnings: c.warnings}
			r := &rehearsal{options: Options{Package: "u.deb"}, host: "splicectl.deb", objects: c.objects, result: &Result{},
				update: &pkgfmt.Update{Package: &pkgfmt.Package{Format: pkgfmt.FormatDeb, Name: "linux-livesplice-x"}, Dir: "usr/lib/livesplice/00/0badcafe",
					Manifest: &livepatch.Manifest{ID: "0badcafe", Module: "livesplice_0badcafe", Unload: &livepatch.Unload{Allowed: !c.held}}}}
			err := r.rehearse(t.Context(), m)
			var steps, bad []string
			for _, s := range r.result.Steps {
				steps, bad = append(steps, s.Name), append(bad, s.Problems...)
			}
			if got := strings.Join(steps, " "); got != c.steps {
				t.Errorf("steps %q, want %q; problems %q; it ran %q", got, c.steps, bad, m.ran)
			}
			if c.problem == "" && (len(bad) > 0 || err != nil) || c.problem != "" && (len(bad) == 0 || !strings.HasPrefix(bad[0], c.problem)) {
				t.Errorf("problems %q, want %q", bad, c.problem)
			}
			if _, failed := err.(*Failed); failed != (c.problem != "") {
				t.Errorf("error %v", err)
			}
			if got := strings.Join(r.result.Absent, " "); got != c.absent {
				t.Errorf("absent %q, want %q", got, c.absent)
			}
		})
	}
}
