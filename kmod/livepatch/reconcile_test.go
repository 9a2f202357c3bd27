package livepatch_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/kmod/livepatch"
	"livesplice/kmod/livepatch/fakekernel"
)

func TestReconcileAppliesHighestRevision(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.install("11111111", 2, true)
	m.reconcile(livepatch.ExitDone)
	m.loaded("11111111")
	m.state("11111111", livepatch.Applied, "")
	m.state("aaaaaaaa", livepatch.Superseded, "revision 2, update 11111111")

	before := m.fake.Root
	m.reconcile(livepatch.ExitDone)
	m.loaded("11111111")
	if !strings.Contains(m.out.String(), "applied 11111111 (revision 2): as before") || before != m.Root {
		t.Errorf("output %s", m.out.String())
	}
	log, err := os.ReadFile(filepath.Join(m.Root, "dev/kmsg"))
	if want := "<6>livesplice: applied 11111111 (revision 2) to kernel 6.1.0-54-amd64\n"; err != nil || string(log) != want {
		t.Errorf("kernel log %q, want %q", log, want)
	}
}

// An upgrade exchanges the files and reconciles afterwards. The new module
// takes over from the old one in one transition.
func TestUpgradeReplaces(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.install("bbbbbbbb", 2, true)
	m.remove("aaaaaaaa")
	m.reconcile(livepatch.ExitDone)
	m.loaded("bbbbbbbb")
	if strings.Contains(m.out.String(), "undid") {
		t.Errorf("the old revision was undone by itself: %s", m.out.String())
	}
}

func TestUpgradeThatIsBlockedKeepsTheOldRevision(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.install("bbbbbbbb", 2, true)
	m.remove("aaaaaaaa")
	m.write("fake/holds-apply", "100")
	err := m.reconcile(livepatch.ExitBlocked)
	m.mentions(err, `livepatch "livesplice_bbbbbbbb": blocked`, "was reversed: it is not applied", `task 100 "task100" in do_nanosleep+0x6c/0x160`)
	m.loaded("aaaaaaaa")
	m.state("bbbbbbbb", livepatch.BlockedNow, "held up by task 100")

	m.write("fake/holds-apply", "")
	m.reconcile(livepatch.ExitDone)
	m.loaded("bbbbbbbb")
	m.state("bbbbbbbb", livepatch.Applied, "")
}

func TestUnusableNewRevisionKeepsTheOldOne(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.install("bbbbbbbb", 2, true)
	m.remove("aaaaaaaa")
	m.write(livepatch.UpdatesDir+"/"+fakekernel.BuildID+"/bbbbbbbb/livesplice_bbbbbbbb.ko", "{}")
	m.mentions(m.reconcile(livepatch.ExitRefused), "its sha256 is", "the manifest says")
	m.loaded("aaaaaaaa")
	m.write(livepatch.UpdatesDir+"/"+fakekernel.BuildID+"/bbbbbbbb/manifest.json", "{}")
	m.mentions(m.reconcile(livepatch.ExitRefused), "manifest: format 0")
	m.loaded("aaaaaaaa")
}

func TestRemovedFilesAreUndone(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.remove("aaaaaaaa")
	m.state("aaaaaaaa", livepatch.Applied, "its files are gone; the next reconcile undoes it")
	m.reconcile(livepatch.ExitDone)
	m.loaded()
}

func TestSingleUpdatesStack(t *testing.T) {
	m := newMachine(t)
	m.install("cccccccc", 1, false)
	m.install("dddddddd", 1, false)
	m.reconcile(livepatch.ExitDone)
	m.loaded("cccccccc", "dddddddd")
	// A cumulative one replaces them in the kernel; they come back on top.
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa", "cccccccc", "dddddddd")
	m.remove("cccccccc")
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa", "dddddddd")
}

// TestSingleUpdatesOfOneFunction: the second would take away what the first has changed of the function.
func TestSingleUpdatesOfOneFunction(t *testing.T) {
	m := newMachine(t)
	m.fake.Function = "path_openat"
	m.install("cccccccc", 1, false)
	m.install("dddddddd", 1, false)
	m.mentions(m.reconcile(livepatch.ExitRefused), `path_openat of vmlinux (livepatch "livesplice_cccccccc")`)
	m.loaded("cccccccc")
	m.reconcile(livepatch.ExitRefused)
	m.loaded("cccccccc")
	m.remove("cccccccc")
	m.reconcile(livepatch.ExitDone)
	m.loaded("dddddddd")
	// One that takes the place of all others has what they had.
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitRefused)
	m.loaded("aaaaaaaa")
	m.state("dddddddd", livepatch.BlockedNow, `livepatch "livesplice_aaaaaaaa"`)
}

func TestUndoneByHandStaysUndone(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.expect(livepatch.ExitDone, m.Undo(ctx, "aaaaaaaa", false))
	m.loaded()
	m.reconcile(livepatch.ExitDone)
	m.loaded()
	m.state("aaaaaaaa", livepatch.Undone, "splicectl apply aaaaaaaa")
	m.reboot("22222222-2222-3333-4444-555555555555")
	m.boot(livepatch.ExitDone)
	m.loaded()

	m.expect(livepatch.ExitDone, m.Apply(ctx, "aaaaaaaa"))
	m.loaded("aaaaaaaa")
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")

	m.expect(livepatch.ExitDone, m.UndoAll(ctx, false))
	m.loaded()
	m.install("bbbbbbbb", 2, true)
	m.reconcile(livepatch.ExitDone)
	m.loaded("bbbbbbbb")
}

func TestPackageRemovalIsNotRemembered(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.expect(livepatch.ExitDone, m.Undo(ctx, "aaaaaaaa", true))
	m.loaded()
	m.expect(livepatch.ExitDone, m.Undo(ctx, "aaaaaaaa", true))
	m.remove("aaaaaaaa")
	m.reconcile(livepatch.ExitDone)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

func TestBlockedUndoIsReversedAndRetried(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.write("fake/holds-undo", "1 100")
	err := m.expect(livepatch.ExitBlocked, m.Undo(ctx, "aaaaaaaa", false))
	m.mentions(err, "undoing it did not end within 1s and was reversed: it is still applied", `task 1 "task1"`, `task 100 "task100"`)
	m.loaded("aaaaaaaa")
	m.state("aaaaaaaa", livepatch.Applied, "was reversed")
	m.write("fake/holds-undo", "")
	m.reconcile(livepatch.ExitDone)
	m.loaded()
	m.state("aaaaaaaa", livepatch.Undone, "")
}

func TestTransitionThatCannotEvenBeReversed(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.write("fake/holds-apply", "100")
	m.write("fake/holds-undo", "100")
	m.mentions(m.reconcile(livepatch.ExitBlocked), "nor did the reversal")
	m.state("aaaaaaaa", livepatch.Transition, "being undone; held up by task 100")
	// The next run finds it so, and can do nothing but say so.
	m.mentions(m.reconcile(livepatch.ExitBlocked), "its transition has not ended within 1s")
	m.write("fake/holds-apply", "")
	m.write("fake/holds-undo", "")
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

// A splicectl that was killed leaves a transition behind.
func TestTransitionLeftByAnEarlierRun(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	image, err := os.ReadFile(filepath.Join(m.folder("aaaaaaaa"), "livesplice_aaaaaaaa.ko"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.fake.InitModule(image); err != nil {
		t.Fatal(err)
	}
	m.write("fake/holds-apply", "100")
	m.mentions(m.reconcile(livepatch.ExitBlocked), "was reversed")
	m.loaded()
	m.write("fake/holds-apply", "")
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

func TestAnotherTransitionIsAwaited(t *testing.T) {
	m := newMachine(t)
	if err := m.fake.InitModule([]byte(`{"name":"kpatch_x","objects":{"vmlinux":["f,1"]}}`)); err != nil {
		t.Fatal(err)
	}
	m.install("cccccccc", 1, false)
	m.write("fake/holds-apply", "100")
	m.mentions(m.reconcile(livepatch.ExitBlocked), `livepatch "kpatch_x": blocked`, "takes one at a time", "task 100")
	m.state("cccccccc", livepatch.BlockedNow, "kpatch_x")
	m.write("fake/holds-apply", "")
	m.reconcile(livepatch.ExitDone)
	m.state("cccccccc", livepatch.Applied, "")
}

func TestUnloadingIsRepeated(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.write("fake/busy", "3")
	m.expect(livepatch.ExitDone, m.Undo(context.Background(), "aaaaaaaa", false))
	m.loaded()
}

func TestOptOut(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.write("proc/cmdline", "ro livesplice=off quiet\n")
	m.boot(livepatch.ExitDone)
	m.loaded()
	m.state("aaaaaaaa", livepatch.Pending, "livesplice=off is on the kernel's command line")
	m.expect(livepatch.ExitDone, m.Apply(context.Background(), "aaaaaaaa"))
	m.loaded("aaaaaaaa")
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

func TestOtherKernelsArePending(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.write("sys/kernel/notes", string(fakekernel.Notes(strings.Repeat("ab", 20))))
	m.reconcile(livepatch.ExitDone)
	m.loaded()
	m.state("aaaaaaaa", livepatch.Pending, "another build of the running kernel's release")
	m.mentions(m.expect(livepatch.ExitRefused, m.Apply(context.Background(), "aaaaaaaa")), "it is for build-id "+fakekernel.BuildID)
}

func TestElsewhereIsPending(t *testing.T) {
	tests := map[string]struct {
		spoil func(m *machine)
		why   string
	}{
		"no /proc":      {func(m *machine) { os.RemoveAll(filepath.Join(m.Root, "proc")) }, "no /proc is mounted"},
		"PID namespace": {func(m *machine) { relink(m, "proc/self/ns/pid", "pid:[4026532198]") }, "its PID namespace"},
		"docker":        {func(m *machine) { m.write(".dockerenv", "") }, "there is /.dockerenv"},
		"nspawn":        {func(m *machine) { m.write("run/systemd/container", "x") }, "there is /run/systemd/container"},
		"chroot":        {func(m *machine) { relink(m, "proc/1/root", "/") }, "this is a chroot"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			m := newMachine(t)
			m.install("aaaaaaaa", 1, true)
			tt.spoil(m)
			m.reconcile(livepatch.ExitDone)
			m.loaded()
			m.state("aaaaaaaa", livepatch.Pending, tt.why)
			m.mentions(m.expect(livepatch.ExitRefused, m.Apply(ctx, "aaaaaaaa")), tt.why)
			m.expect(livepatch.ExitDone, m.Undo(ctx, "aaaaaaaa", true))
			m.expect(livepatch.ExitDone, m.UndoAll(ctx, true))
			m.expect(livepatch.ExitRefused, m.UndoAll(ctx, false))
		})
	}
}

// TestNoPIDNamespaces: a kernel without CONFIG_PID_NS has no /proc/self/ns/pid, and is changed as any other.
func TestNoPIDNamespaces(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	if err := os.Remove(filepath.Join(m.Root, "proc/self/ns/pid")); err != nil {
		t.Fatal(err)
	}
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

func relink(m *machine, rel, target string) {
	path := filepath.Join(m.Root, rel)
	if err := os.Remove(path); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		m.t.Fatal(err)
	}
}

// Undoing what is just being applied reverses it at once, without waiting for
// the transition that will not end.
func TestUndoReversesAnApplyingTransition(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	image, err := os.ReadFile(filepath.Join(m.folder("aaaaaaaa"), "livesplice_aaaaaaaa.ko"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.fake.InitModule(image); err != nil {
		t.Fatal(err)
	}
	m.write("fake/holds-apply", "100")
	m.expect(livepatch.ExitDone, m.Undo(context.Background(), "aaaaaaaa", false))
	m.loaded()
}

// Undoing waits for another livepatch's transition, of which the kernel has one
// at a time.
func TestUndoWaitsForAnotherTransition(t *testing.T) {
	m := newMachine(t)
	m.install("cccccccc", 1, false)
	m.reconcile(livepatch.ExitDone)
	if err := m.fake.InitModule([]byte(`{"name":"kpatch_x","objects":{"vmlinux":["f,1"]}}`)); err != nil {
		t.Fatal(err)
	}
	m.expect(livepatch.ExitDone, m.Undo(context.Background(), "cccccccc", false))
	m.state("cccccccc", livepatch.Undone, "")
}
