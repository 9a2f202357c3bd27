package livepatch_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livesplice/kmod/livepatch"
	"livesplice/kmod/livepatch/fakekernel"
)

// machine is a fake machine with what splicectl said on it.
type machine struct {
	*livepatch.Host
	fake *fakekernel.Kernel
	out  bytes.Buffer
	t    *testing.T
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	k, err := fakekernel.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{fake: k, t: t}
	m.Host = &livepatch.Host{Root: k.Root, Owner: uint32(os.Getuid()), Kernel: k, Out: &m.out, Timeout: time.Second}
	return m
}

func (m *machine) install(id string, revision int, replace bool) {
	m.t.Helper()
	if _, err := m.fake.Install(id, revision, replace, ""); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) folder(id string) string {
	return filepath.Join(m.Root, livepatch.UpdatesDir, fakekernel.BuildID, id)
}

func (m *machine) remove(id string) {
	m.t.Helper()
	if err := os.RemoveAll(m.folder(id)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) write(rel, text string) {
	m.t.Helper()
	path := filepath.Join(m.Root, rel)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// reboot empties the kernel and gives the boot another identity.
func (m *machine) reboot(boot string) {
	m.t.Helper()
	for _, dir := range []string{"sys/kernel/livepatch", "fake"} {
		path := filepath.Join(m.Root, dir)
		if err := errors.Join(os.RemoveAll(path), os.Mkdir(path, 0o755)); err != nil {
			m.t.Fatal(err)
		}
	}
	ours, err := filepath.Glob(filepath.Join(m.Root, "sys/module", livepatch.ModulePrefix+"*"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, dir := range ours {
		if err := os.RemoveAll(dir); err != nil {
			m.t.Fatal(err)
		}
	}
	m.write("proc/modules", "")
	m.write("proc/sys/kernel/random/boot_id", boot+"\n")
}

func (m *machine) reconcile(want int) error {
	m.t.Helper()
	return m.expect(want, m.Reconcile(context.Background(), livepatch.ReconcileOptions{}))
}

func (m *machine) boot(want int) error {
	m.t.Helper()
	return m.expect(want, m.Reconcile(context.Background(), livepatch.ReconcileOptions{Boot: true}))
}

// expect fails the test unless err has the exit code want.
func (m *machine) expect(want int, err error) error {
	m.t.Helper()
	if got := livepatch.ExitCode(err); got != want {
		m.t.Fatalf("exit code %d, want %d: %v\n%s", got, want, err, m.out.String())
	}
	return err
}

// loaded asserts which livepatches are applied, and which modules are loaded.
func (m *machine) loaded(want ...string) {
	m.t.Helper()
	all, err := m.Livepatches()
	if err != nil {
		m.t.Fatal(err)
	}
	var got []string
	for _, l := range all {
		if !l.Enabled || l.Transition {
			m.t.Errorf("%+v", l)
		}
		id, _ := l.ID()
		got = append(got, id)
	}
	modules, err := m.Modules()
	if err != nil {
		m.t.Fatal(err)
	}
	if a, b := strings.Join(got, " "), strings.Join(want, " "); a != b {
		m.t.Errorf("applied: %q, want %q", a, b)
	}
	if len(modules) != len(want) {
		m.t.Errorf("modules %q, want those of %q", modules, want)
	}
}

// state asserts what status says of one update.
func (m *machine) state(id string, want livepatch.UpdateState, why string) {
	m.t.Helper()
	s, err := m.Status()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, u := range s.Updates {
		if u.ID == id {
			if u.State != want || !strings.Contains(u.Why, why) {
				m.t.Errorf("status of %s: %s (%s), want %s (%s)", id, u.State, u.Why, want, why)
			}
			return
		}
	}
	m.t.Errorf("status has no %s: %+v", id, s.Updates)
}

// mentions asserts that err's text holds each of want.
func (m *machine) mentions(err error, want ...string) {
	m.t.Helper()
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			m.t.Errorf("error %v, want %q in it", err, w)
		}
	}
}
