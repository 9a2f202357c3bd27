package livepatch_test

import (
	"context"
	"strings"
	"testing"

	"livesplice/kmod/livepatch"
)

// foreign loads a livepatch that is not of livesplice.
func (m *machine) foreign() {
	m.t.Helper()
	if err := m.fake.InitModule([]byte(`{"name":"kpatch_x","objects":{"vmlinux":["f,1"]}}`)); err != nil {
		m.t.Fatal(err)
	}
	if err := m.fake.Tick(); err != nil {
		m.t.Fatal(err)
	}
}

// livepatches asserts the modules of all livepatches.
func (m *machine) livepatches(want string) {
	m.t.Helper()
	all, err := m.Livepatches()
	if err != nil {
		m.t.Fatal(err)
	}
	var names []string
	for _, l := range all {
		names = append(names, l.Module)
	}
	if got := strings.Join(names, " "); got != want {
		m.t.Errorf("livepatches %q, want %q", got, want)
	}
}

func TestSingleUpdateBesideForeignLivepatch(t *testing.T) {
	m := newMachine(t)
	m.foreign()
	m.install("cccccccc", 1, false)
	m.reconcile(livepatch.ExitDone)
	m.livepatches("kpatch_x livesplice_cccccccc")
	s, err := m.Status()
	if err != nil || len(s.Foreign) != 1 || s.Foreign[0] != "kpatch_x" {
		t.Errorf("foreign %v, %v", s.Foreign, err)
	}
}

// What another vendor has put in goes only because an administrator says so.
func TestCumulativeUpdateAndForeignLivepatch(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	m.foreign()
	m.install("aaaaaaaa", 1, true)
	why := `update "aaaaaaaa": refused: it is cumulative and would replace what is not of livesplice: livepatch "kpatch_x", which undoing it would not bring back; splicectl apply aaaaaaaa does so all the same`
	m.mentions(m.reconcile(livepatch.ExitRefused), why)
	m.mentions(m.boot(livepatch.ExitRefused), why)
	m.mentions(m.expect(livepatch.ExitRefused, m.Reconcile(ctx, livepatch.ReconcileOptions{Retry: true})), why)
	m.livepatches("kpatch_x")
	m.state("aaaaaaaa", livepatch.BlockedNow, why)

	m.expect(livepatch.ExitDone, m.Apply(ctx, "aaaaaaaa"))
	if want := `note: update aaaaaaaa replaces what is not of livesplice: livepatch "kpatch_x"; undoing it will not bring that back`; !strings.Contains(m.out.String(), want) {
		t.Errorf("%q not said: %s", want, m.out.String())
	}
	m.livepatches("livesplice_aaaaaaaa")
	m.reconcile(livepatch.ExitDone)
	m.state("aaaaaaaa", livepatch.Applied, "")
}

// One that came after ours is not replaced by our next revision.
func TestUpgradeBelowForeignLivepatch(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.foreign()
	m.reconcile(livepatch.ExitDone)
	m.install("bbbbbbbb", 2, true)
	m.remove("aaaaaaaa")
	m.reconcile(livepatch.ExitRefused)
	m.livepatches("kpatch_x livesplice_aaaaaaaa")
	m.state("bbbbbbbb", livepatch.BlockedNow, "kpatch_x")
	m.state("aaaaaaaa", livepatch.Applied, "")
}

// The crash guard blames no update that was not loaded.
func TestRefusedUpdateIsNotBlamed(t *testing.T) {
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	for _, boot := range []string{"2222", "3333", "4444"} {
		m.reboot(boot)
		m.foreign()
		m.boot(livepatch.ExitRefused)
	}
	m.reboot("5555")
	m.boot(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}
