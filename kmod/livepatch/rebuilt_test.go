package livepatch_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livesplice/kmod/livepatch"
)

// otherBuild is the build-id of another build of the release that runs.
var otherBuild = strings.Repeat("ab", 20)

// upgradeToOtherBuild exchanges the files of the update old for those of one
// that is for otherBuild only, as upgrading a package with its kernel does.
func (m *machine) upgradeToOtherBuild(old, id string, revision int, replace bool) {
	m.t.Helper()
	if _, err := m.fake.InstallFor(otherBuild, id, revision, replace, ""); err != nil {
		m.t.Fatal(err)
	}
	m.remove(old)
}

func (m *machine) removeOtherBuild() {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.Root, livepatch.UpdatesDir, otherBuild)); err != nil {
		m.t.Fatal(err)
	}
}

// The kernel that runs keeps its fixes until the build that the new files are
// for is booted.
func TestUpgradeForAnotherBuildKeepsWhatIsLoaded(t *testing.T) {
	tests := map[string]struct {
		next    string
		replace bool
	}{
		"cumulative":                {"bbbbbbbb", true},
		"cumulative of the same ID": {"aaaaaaaa", true},
		"single one of the same ID": {"aaaaaaaa", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.install("aaaaaaaa", 1, tt.replace)
			m.reconcile(livepatch.ExitDone)
			m.upgradeToOtherBuild("aaaaaaaa", tt.next, 2, tt.replace)
			m.out.Reset()
			m.reconcile(livepatch.ExitDone)
			m.loaded("aaaaaaaa")
			kept := "kept until the next boot: update " + tt.next + ", which takes its place, is for another build of this kernel's release (build-id " + otherBuild + ")"
			if !strings.Contains(m.out.String(), "applied aaaaaaaa: "+kept) {
				t.Errorf("said %q", m.out.String())
			}
			s, err := m.Status()
			if err != nil || len(s.Updates) != 2 {
				t.Fatalf("%+v, %v", s, err)
			}
			if u := s.Updates[0]; u.ID != tt.next || u.State != livepatch.Pending || u.Why != "it is for another build of the running kernel's release" {
				t.Errorf("%+v", u)
			}
			if u := s.Updates[1]; u.ID != "aaaaaaaa" || u.State != livepatch.Applied || !strings.HasPrefix(u.Why, kept) {
				t.Errorf("%+v", u)
			}
			// The new package is removed; the same ID's prerm finds it loaded,
			// another's leaves it to the reconciling that follows.
			m.expect(livepatch.ExitDone, m.Undo(context.Background(), tt.next, true))
			m.removeOtherBuild()
			m.reconcile(livepatch.ExitDone)
			m.loaded()
		})
	}
}

// What is removed, and not upgraded, is undone whatever else is on disk.
func TestRemovalBesideAnotherBuild(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	m.install("aaaaaaaa", 1, false)
	m.reconcile(livepatch.ExitDone)
	if _, err := m.fake.InstallFor(otherBuild, "bbbbbbbb", 1, true, ""); err != nil {
		t.Fatal(err)
	}
	// The undoing of the package's prerm is blocked: it happens later.
	m.write("fake/holds-undo", "100")
	m.expect(livepatch.ExitBlocked, m.Undo(ctx, "aaaaaaaa", true))
	m.remove("aaaaaaaa")
	m.expect(livepatch.ExitBlocked, m.Reconcile(ctx, livepatch.ReconcileOptions{Retry: true}))
	m.state("aaaaaaaa", livepatch.Applied, "its files are gone; the next reconcile undoes it")
	m.write("fake/holds-undo", "")
	m.expect(livepatch.ExitDone, m.Reconcile(ctx, livepatch.ReconcileOptions{Retry: true}))
	m.loaded()
}

// A removal that was blocked and given up leaves nothing behind.
func TestRemovalThatWasGivenUp(t *testing.T) {
	ctx := context.Background()
	m := newMachine(t)
	m.install("aaaaaaaa", 1, true)
	m.reconcile(livepatch.ExitDone)
	m.write("fake/holds-undo", "100")
	m.expect(livepatch.ExitBlocked, m.Undo(ctx, "aaaaaaaa", true))
	m.write("fake/holds-undo", "")
	m.reconcile(livepatch.ExitDone)
	m.upgradeToOtherBuild("aaaaaaaa", "bbbbbbbb", 2, true)
	m.reconcile(livepatch.ExitDone)
	m.loaded("aaaaaaaa")
}

func TestNotKeptForWhatTakesNoPlace(t *testing.T) {
	tests := map[string]func(m *machine){
		"single update of another ID": func(m *machine) { m.upgradeToOtherBuild("aaaaaaaa", "bbbbbbbb", 2, false) },
		"another release": func(m *machine) {
			manifest, err := m.fake.InstallFor(otherBuild, "bbbbbbbb", 2, true, "")
			if err != nil {
				m.t.Fatal(err)
			}
			manifest.Release = "6.1.0-55-amd64"
			data, err := manifest.Encode()
			if err != nil {
				m.t.Fatal(err)
			}
			m.write(livepatch.UpdatesDir+"/"+otherBuild+"/bbbbbbbb/manifest.json", string(data))
			m.remove("aaaaaaaa")
		},
		"undone by hand": func(m *machine) {
			m.upgradeToOtherBuild("aaaaaaaa", "bbbbbbbb", 2, true)
			m.write("fake/holds-undo", "100")
			m.expect(livepatch.ExitBlocked, m.Undo(context.Background(), "aaaaaaaa", false))
			m.write("fake/holds-undo", "")
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.install("aaaaaaaa", 1, true)
			m.reconcile(livepatch.ExitDone)
			spoil(m)
			m.reconcile(livepatch.ExitDone)
			m.loaded()
		})
	}
}
