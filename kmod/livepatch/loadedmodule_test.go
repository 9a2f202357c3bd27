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

// installBuilt installs an update whose module has the build-id; none for "".
func (m *machine) installBuilt(id, buildID string) {
	m.t.Helper()
	manifest, err := m.fake.Install(id, 1, true, "")
	if err != nil {
		m.t.Fatal(err)
	}
	if buildID == "" {
		return
	}
	dir := filepath.Join(livepatch.UpdatesDir, fakekernel.BuildID, id)
	if err := m.fake.SetModuleBuildID(dir, manifest, buildID); err != nil {
		m.t.Fatal(err)
	}
}

// Another module under the same ID is not what is on disk.
func TestOtherModuleOfTheSameID(t *testing.T) {
	ctx := context.Background()
	old, next := strings.Repeat("01", 20), strings.Repeat("02", 20)
	m := newMachine(t)
	m.installBuilt("aaaaaaaa", old)
	m.reconcile(livepatch.ExitDone)
	m.reconcile(livepatch.ExitDone)
	m.state("aaaaaaaa", livepatch.Applied, "")

	m.installBuilt("aaaaaaaa", next)
	want := []string{`update "aaaaaaaa": refused: another module of its name is loaded: build-id ` + old + ", the one on disk has " + next,
		"splicectl undo aaaaaaaa, then splicectl apply aaaaaaaa"}
	m.state("aaaaaaaa", livepatch.BlockedNow, want[0])
	m.mentions(m.reconcile(livepatch.ExitRefused), want...)
	m.loaded("aaaaaaaa")
	m.mentions(m.expect(livepatch.ExitRefused, m.Apply(ctx, "aaaaaaaa")), want...)
	m.state("aaaaaaaa", livepatch.BlockedNow, want[0])

	m.expect(livepatch.ExitDone, m.Undo(ctx, "aaaaaaaa", false))
	m.expect(livepatch.ExitDone, m.Apply(ctx, "aaaaaaaa"))
	m.state("aaaaaaaa", livepatch.Applied, "")
	if got, err := m.ModuleBuildID("livesplice_aaaaaaaa"); err != nil || got != next {
		t.Errorf("build-id %q, %v, want %s", got, err, next)
	}
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

// An earlier run was killed during the transition of the module that was on
// disk then.
func TestOtherModuleInTransition(t *testing.T) {
	m := newMachine(t)
	m.installBuilt("aaaaaaaa", strings.Repeat("01", 20))
	image, err := os.ReadFile(filepath.Join(m.folder("aaaaaaaa"), "livesplice_aaaaaaaa.ko"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.fake.InitModule(image); err != nil {
		t.Fatal(err)
	}
	m.installBuilt("aaaaaaaa", strings.Repeat("02", 20))
	m.mentions(m.expect(livepatch.ExitRefused, m.Apply(context.Background(), "aaaaaaaa")), "another module of its name is loaded")
	m.loaded("aaaaaaaa")
}

// Where a build-id is missing nothing can be said.
func TestModulesWithoutBuildID(t *testing.T) {
	id := strings.Repeat("01", 20)
	for name, ids := range map[string][2]string{"loaded": {"", id}, "on disk": {id, ""}, "both": {"", ""}} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.installBuilt("aaaaaaaa", ids[0])
			m.reconcile(livepatch.ExitDone)
			m.installBuilt("aaaaaaaa", ids[1])
			m.reconcile(livepatch.ExitDone)
			m.state("aaaaaaaa", livepatch.Applied, "")
		})
	}
}
