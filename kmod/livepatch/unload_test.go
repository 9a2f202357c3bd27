package livepatch_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/kmod/livepatch"
	"livesplice/kmod/livepatch/fakekernel"
)

const (
	id      = "0badcafe"
	module  = "livesplice_" + id
	inside  = "[<0>] msleep+0x2d/0x50\n[<0>] ksys_sync.cold+0x1f/0x40 [" + module + "]\n[<0>] do_syscall_64+0x5b/0xc0\n[<0>] entry_SYSCALL_64_after_hwframe+0x6e/0xd8\n"
	outside = fakekernel.Asleep
)

// stays asserts that the module of id is loaded and disabled, and what status
// says of it: why it stays.
func (m *machine) stays(id string, why ...string) {
	m.t.Helper()
	s, err := m.Status()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, d := range s.Disabled {
		if d.ID == id {
			for _, w := range why {
				if !strings.Contains(d.Why, w) {
					m.t.Errorf("%s stays %q, want %q", id, d.Why, w)
				}
			}
			if d.Memory != 16384 || d.Module != livepatch.ModuleName(id) {
				m.t.Errorf("disabled module %+v", d)
			}
			return
		}
	}
	m.t.Errorf("no disabled module of %s: %+v", id, s.Disabled)
}

// sound asserts that no module was unloaded with a task in it.
func (m *machine) sound() {
	m.t.Helper()
	if _, err := os.Stat(filepath.Join(m.Root, "fake/oops")); err == nil {
		m.t.Error("the kernel unloaded a module with a task in it")
	}
}

func (m *machine) task(tid, state, stack string) {
	m.t.Helper()
	if err := m.fake.SetTask(tid, "splicecold", state, stack); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) undo(want int) error {
	m.t.Helper()
	return m.expect(want, m.Undo(context.Background(), id, false))
}

func (m *machine) apply(want int) error {
	m.t.Helper()
	return m.expect(want, m.Apply(context.Background(), id))
}

func (m *machine) says(want string) {
	m.t.Helper()
	if !strings.Contains(m.out.String(), want) {
		m.t.Errorf("output %q, want %q in it", m.out.String(), want)
	}
}

// applied is a machine with one update applied.
func applied(t *testing.T, unload *livepatch.Unload) *machine {
	m := newMachine(t)
	manifest, err := m.fake.Install(id, 1, true, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.fake.SetUnload(filepath.Join(livepatch.UpdatesDir, fakekernel.BuildID, id), manifest, unload); err != nil {
		t.Fatal(err)
	}
	m.reconcile(livepatch.ExitDone)
	m.loaded(id)
	return m
}

var (
	mayGo  = &livepatch.Unload{Allowed: true, Reasons: []livepatch.UnloadReason{}}
	isHeld = &livepatch.Unload{Reasons: []livepatch.UnloadReason{
		{Subject: "names.str", Reason: "handed to request_region, which keeps it", Source: "fs/namei.c:3701"},
		{Subject: "cb", Reason: "stored in a timer"}}}
)

// Each stack is that of the one task 100; "" stands for a task that runs.
func TestUndoLooksAtStacks(t *testing.T) {
	deep := strings.Repeat("[<0>] ovl_read+0x10/0x20\n", 63) + "[<0>] entry_SYSCALL_64_after_hwframe+0x6e/0xd8\n"
	for name, tt := range map[string]struct {
		stack, displaced, state string
		files                   map[string]string
		why                     string // "": unloaded
	}{
		"outside":                     {stack: outside},
		"in the module":               {stack: inside, why: `until task 100 "splicecold" leaves ksys_sync.cold+0x1f/0x40; splicectl reconcile, which a timer runs, tries again`},
		"in another module":           {stack: strings.ReplaceAll(inside, module, "livesplice_11111111")},
		"kernel thread, since 6.6":    {stack: "[<0>] kthread+0xcf/0x100\n[<0>] ret_from_fork+0x31/0x50\n[<0>] ret_from_fork_asm+0x1a/0x30\n"},
		"preempted in user mode":      {stack: "[<0>] exit_to_user_mode_prepare+0xf0/0x1a0\n[<0>] irqentry_exit_to_user_mode+0x9/0x40\n[<0>] asm_sysvec_apic_timer_interrupt+0x16/0x20\n"},
		"interrupted in the kernel":   {stack: "[<0>] asm_exc_page_fault+0x26/0x30\n[<0>] copy_from_user+0x10/0x20\n[<0>] entry_SYSCALL_64_after_hwframe+0x6e/0xd8\n", why: "the stack of task 100 \"splicecold\" is seen (asm_exc_page_fault interrupted it in the kernel, where frame pointers have gaps)"},
		"interrupted, ORC":            {stack: "[<0>] asm_exc_page_fault+0x26/0x30\n[<0>] copy_from_user+0x10/0x20\n[<0>] entry_SYSCALL_64_after_hwframe+0x6e/0xd8\n", files: map[string]string{"boot/config-" + fakekernel.Release: "CONFIG_X86=y\nCONFIG_UNWINDER_ORC=y\n"}},
		"cut":                         {stack: "[<0>] do_nanosleep+0x6c/0x160\n[<0>] hrtimer_nanosleep+0xbe/0x1a0\n", why: "its stack ends at hrtimer_nanosleep"},
		"cut at the depth shown":      {stack: deep, why: "its stack is deeper than the kernel shows"},
		"return address hidden":       {stack: "[<0>] kretprobe_trampoline+0x0/0x50\n" + outside, why: "kretprobe_trampoline hides what is behind it"},
		"address without a symbol":    {stack: "[<0>] 0xffffffffc0000000\n" + outside, why: "its stack holds 0xffffffffc0000000, of which nothing is known"},
		"address in the module":       {stack: "[<0>] 0xffffffffc0123456\n" + outside, files: map[string]string{"proc/modules": module + " 16384 0 - Live 0xffffffffc0123000 (OEK)\n"}, why: `task 100 "splicecold" leaves 0xffffffffc0123456`},
		"address elsewhere":           {stack: "[<0>] 0xffffffffc0127001\n" + outside, files: map[string]string{"proc/modules": module + " 16384 0 - Live 0xffffffffc0123000 (OEK)\n"}},
		"runs, seen outside":          {displaced: strings.TrimSpace(outside)},
		"runs, seen inside":           {displaced: strings.TrimSpace(inside), why: "leaves ksys_sync.cold+0x1f/0x40"},
		"runs, never seen":            {why: `the stack of task 100 "splicecold" is seen (it runs)`},
		"runs, its CPU not to be had": {displaced: strings.TrimSpace(outside), files: map[string]string{"fake/cpus-taken": "3\n"}, why: "it runs on CPU 3: device or resource busy"},
		"dead":                        {state: "Z"},
		"kernel threads hidden":       {stack: outside, files: map[string]string{"proc/2/stat": "2 (sh) S 1\n"}, why: "until the tasks of the machine can be looked at: /proc is that of another PID namespace, or hides kernel threads"},
		"processes hidden":            {stack: outside, files: map[string]string{"proc/self/mountinfo": "21 28 0:20 / /proc rw shared:13 - proc proc rw,hidepid=invisible\n", "proc/loadavg": "0 0 0 1/7 100\n"}, why: "/proc is mounted with hidepid and shows 3 of 7 tasks"},
		"processes not hidden":        {stack: outside, files: map[string]string{"proc/self/mountinfo": "21 28 0:20 / /proc rw shared:13 - proc proc rw,hidepid=2\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := applied(t, mayGo)
			m.task("100", map[bool]string{true: "S", false: tt.state}[tt.state == ""], tt.stack)
			if tt.displaced != "" {
				m.write("fake/displaced/100", tt.displaced+"\n")
			}
			for file, text := range tt.files {
				m.write(file, text)
			}
			m.undo(livepatch.ExitDone)
			m.sound()
			m.state(id, livepatch.Undone, "undone by hand")
			if tt.why == "" {
				m.loaded()
				return
			}
			m.stays(id, tt.why)
			m.says(`note: module "` + module + `" stays loaded, disabled, until`)
			m.says("undid " + id)

			// Once nothing is in the way, the timer unloads it.
			m.task("100", "S", outside)
			m.write("fake/displaced/100", "")
			m.write("proc/2/stat", "2 (kthreadd) S 0\n")
			m.write("proc/self/mountinfo", "")
			m.expect(livepatch.ExitDone, m.Reconcile(context.Background(), livepatch.ReconcileOptions{Retry: true}))
			m.loaded()
		})
	}
}

func TestUndoWithoutStacks(t *testing.T) {
	m := applied(t, mayGo)
	if err := os.Remove(filepath.Join(m.Root, "proc/2/stack")); err != nil {
		t.Fatal(err)
	}
	m.undo(livepatch.ExitDone)
	m.stays(id, "this kernel shows no stacks: it is built without CONFIG_STACKTRACE")
}

// What may be held stays, whatever the stacks say, and is enabled again any
// number of times. The files may be gone meanwhile.
func TestUpdateThatStays(t *testing.T) {
	for name, tt := range map[string]struct {
		unload *livepatch.Unload
		why    string
	}{
		"held":     {isHeld, "until the next boot, since addresses in it may be held: names.str: handed to request_region, which keeps it (fs/namei.c:3701), and 1 more"},
		"not said": {nil, "until the next boot, since addresses in it may be held: its maker does not say that nothing holds addresses in it"},
	} {
		t.Run(name, func(t *testing.T) {
			m := applied(t, tt.unload)
			for range 5 {
				m.undo(livepatch.ExitDone)
				m.stays(id, tt.why)
				m.says("stays loaded, disabled, " + tt.why)
				m.out.Reset()
				m.reconcile(livepatch.ExitDone) // It does not say so again.
				if strings.Contains(m.out.String(), "stays loaded") {
					t.Errorf("output %q", m.out.String())
				}
				m.apply(livepatch.ExitDone)
				m.loaded(id)
				m.state(id, livepatch.Applied, "")
			}
			m.remove(id)
			m.reconcile(livepatch.ExitDone)
			m.stays(id, tt.why)
			m.reboot("22222222-2222-3333-4444-555555555555")
			m.reconcile(livepatch.ExitDone)
			m.loaded()
			if state := m.read("var/lib/livesplice/state.json"); strings.Contains(state, "loaded") {
				t.Errorf("state %s", state)
			}
		})
	}
}

func (m *machine) read(rel string) string {
	m.t.Helper()
	data, err := os.ReadFile(filepath.Join(m.Root, rel))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

// A task may be inside as the update is applied again: the module goes on as it is.
func TestApplyAgainWithTaskInside(t *testing.T) {
	m := applied(t, mayGo)
	m.task("100", "S", inside)
	m.undo(livepatch.ExitDone)
	m.stays(id, "splicecold")
	m.apply(livepatch.ExitDone)
	m.loaded(id)
	m.task("100", "S", outside)
	m.undo(livepatch.ExitDone)
	m.loaded()
	m.sound()
}

// The old revision is unloaded under the same conditions, by what its manifest
// said, which is gone by then.
func TestReplacedRevisionStays(t *testing.T) {
	for name, unload := range map[string]*livepatch.Unload{"task inside": mayGo, "held": isHeld} {
		t.Run(name, func(t *testing.T) {
			m := applied(t, unload)
			if unload.Allowed {
				m.task("100", "S", inside)
			}
			m.remove(id)
			m.install("11111111", 2, true)
			m.reconcile(livepatch.ExitDone)
			m.state("11111111", livepatch.Applied, "")
			m.stays(id, "until")
			m.task("100", "S", outside)
			m.reconcile(livepatch.ExitDone)
			m.sound()
			if unload.Allowed {
				m.loaded("11111111")
			} else {
				m.stays(id, "names.str")
			}
		})
	}
}

// Without what was remembered, nothing is known of a module whose files are gone.
func TestForgottenModuleStays(t *testing.T) {
	m := applied(t, mayGo)
	m.remove(id)
	if err := os.Remove(filepath.Join(m.Root, "var/lib/livesplice/state.json")); err != nil {
		t.Fatal(err)
	}
	m.reconcile(livepatch.ExitDone)
	m.stays(id, "its maker does not say")
}

// The state of an earlier splicectl says nothing of modules: the manifest on disk
// does.
func TestStateOfEarlierSplicectl(t *testing.T) {
	m := applied(t, mayGo)
	m.write("var/lib/livesplice/state.json", `{"format": 1}`)
	m.undo(livepatch.ExitDone)
	m.loaded()
}

func TestApplyAgainRefused(t *testing.T) {
	old := func(m *machine) {
		m.t.Helper()
		if err := os.RemoveAll(filepath.Join(m.Root, "sys/module", module, "parameters")); err != nil {
			m.t.Fatal(err)
		}
	}
	t.Run("module without the parameter", func(t *testing.T) {
		m := applied(t, isHeld)
		m.undo(livepatch.ExitDone)
		old(m)
		err := m.apply(livepatch.ExitRefused)
		m.mentions(err, `its module is loaded, disabled, and has no parameter "enable"`, "it stays until the next boot, since addresses in it may be held: names.str")
	})
	t.Run("module without the parameter, task inside", func(t *testing.T) {
		m := applied(t, mayGo)
		m.task("100", "S", inside)
		m.undo(livepatch.ExitDone)
		old(m)
		err := m.apply(livepatch.ExitBlocked)
		m.mentions(err, `has no parameter "enable"`, `it stays until task 100 "splicecold" leaves ksys_sync.cold`)
		m.task("100", "S", outside)
		m.reconcile(livepatch.ExitDone)
		m.loaded(id)
		m.sound()
	})
	t.Run("pinned by force", func(t *testing.T) {
		m := applied(t, isHeld)
		m.write("fake/pinned", module+"\n")
		m.undo(livepatch.ExitDone)
		err := m.apply(livepatch.ExitRefused)
		m.mentions(err, "cannot be enabled again until the next boot: the kernel holds it still after 1s")
	})
	t.Run("the kernel says no", func(t *testing.T) {
		m := applied(t, isHeld)
		m.undo(livepatch.ExitDone)
		m.write("fake/enable-errno", "22\n")
		err := m.apply(livepatch.ExitFault)
		m.mentions(err, `writing 1 to its parameter "enable": invalid argument; the kernel log may have the reason`)
	})
	t.Run("another build of it", func(t *testing.T) {
		m := applied(t, isHeld)
		m.undo(livepatch.ExitDone)
		m.write("sys/module/"+module+"/notes/.note.gnu.build-id", string(fakekernel.Notes(strings.Repeat("aa", 20))))
		manifest, err := m.fake.Install(id, 1, true, "")
		if err == nil {
			err = m.fake.SetModuleBuildID(filepath.Join(livepatch.UpdatesDir, fakekernel.BuildID, id), manifest, strings.Repeat("bb", 20))
		}
		if err != nil {
			t.Fatal(err)
		}
		err = m.apply(livepatch.ExitRefused)
		m.mentions(err, "another build of its module is loaded, disabled; it stays until the next boot")
	})
}

// The transition that enables a module again may be blocked as any other.
func TestApplyAgainBlocked(t *testing.T) {
	m := applied(t, isHeld)
	m.undo(livepatch.ExitDone)
	m.write("fake/holds-apply", "100\n")
	err := m.apply(livepatch.ExitBlocked)
	m.mentions(err, "was reversed: it is not applied")
	m.stays(id, "names.str")
	m.write("fake/holds-apply", "")
	m.reconcile(livepatch.ExitDone)
	m.loaded(id)
}

// A transition that was reversed has let tasks in already.
func TestReversedTransitionLooksAtStacks(t *testing.T) {
	m := newMachine(t)
	m.install(id, 1, true)
	m.write("fake/holds-apply", "100\n")
	m.task("100", "S", inside)
	m.reconcile(livepatch.ExitBlocked)
	m.stays(id, "splicecold")
	m.sound()
}

func TestStatusJSONOfDisabled(t *testing.T) {
	m := applied(t, isHeld)
	m.undo(livepatch.ExitDone)
	s, err := m.Status()
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(s.Disabled)
	want := `[{"id":"0badcafe","module":"livesplice_0badcafe","memory":16384,"may_unload":false,"why":"until the next boot, since addresses in it may be held: names.str: handed to request_region, which keeps it (fs/namei.c:3701), and 1 more"}]`
	if err != nil || string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}
