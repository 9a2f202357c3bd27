package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"livesplice/kmod/livepatch"
	"livesplice/pipeline/verify"
	"livesplice/pkgfmt"
)

// TestVerify takes good packages of both formats through `livesplice verify`, and then one whose module replaces more than
// its manifest says, and one for another kernel.
func TestVerify(t *testing.T) {
	m := setup(t)
	u := m.create(t, patch("proc-version-spliced"), patch("fcntl-immutable-hint"))
	report := filepath.Join(t.TempDir(), "verify.xml")
	out, stderr, code := m.verify(t, u.deb, u.rpm, "--kernel", m.files.Image, "--junit", report, "--json")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	var results []verify.Result
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if len(results) != 2 {
		t.Fatalf("%d results, want two:\n%s", len(results), out)
	}
	for i, format := range []string{"deb", "rpm"} {
		r := results[i]
		var steps []string
		for _, s := range r.Steps {
			steps = append(steps, s.Name)
		}
		if !r.Verified || r.Format != format || r.ID != u.id || r.Release != m.kernel.Release || strings.Join(steps, " ") != "boot prepare install work undo apply late remove" {
			t.Errorf("%s: %+v", format, r)
		}
	}
	junit, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(junit, &suites); err != nil || len(suites.Suites) != 2 || suites.Suites[1].Tests != 8 || suites.Suites[1].Failures != 0 {
		t.Errorf("JUnit report: %v\n%s", err, junit)
	}

	silent := repackage(t, u, func(m *livepatch.Manifest) { m.Objects[0].Functions = m.Objects[0].Functions[:1] })
	_, stderr, code = m.verify(t, silent, "--kernel", m.files.Image)
	if code != 4 || !strings.Contains(stderr, "install: object vmlinux: patched and its folder: ") || !strings.Contains(stderr, "; ftrace redirects ") {
		t.Errorf("a manifest that does not name all that is replaced: exit code %d\n%s", code, stderr)
	}
	other := repackage(t, u, func(m *livepatch.Manifest) {
		m.BuildID = strings.Repeat("ab", 20)
		m.Objects[0].BuildID = m.BuildID
	})
	_, stderr, code = m.verify(t, other, "--kernel", m.files.Image)
	if code != 5 || !strings.Contains(stderr, "an update of kernel "+m.kernel.Release+" with build-id abababab") {
		t.Errorf("an update of another kernel: exit code %d\n%s", code, stderr)
	}
}

// verify calls livesplice verify.
func (m *material) verify(t *testing.T, args ...string) (stdout []byte, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(m.livesplice, append([]string{"verify"}, args...)...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o.Bytes(), e.String(), cmd.ProcessState.ExitCode()
}

// repackage makes another package of an update whose manifest was changed.
func repackage(t *testing.T, u update, change func(*livepatch.Manifest)) string {
	t.Helper()
	read, err := pkgfmt.ReadUpdate(t.Context(), u.deb)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := read.Extract(t.Context(), dir, func(name string) bool { return strings.HasPrefix(name, read.Dir+"/") }); err != nil {
		t.Fatal(err)
	}
	change(read.Manifest)
	spec := pkgfmt.UpdateSpec{Manifest: read.Manifest, Files: map[string][]byte{}, Maintainer: pkgfmt.DefaultMaintainer, MTime: time.Unix(1_700_000_000, 0)}
	names := []string{read.Manifest.ModuleFile}
	for _, p := range read.Manifest.Patches {
		names = append(names, p.Name)
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		if spec.Files[name], err = os.ReadFile(filepath.Join(dir, read.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	deb, err := pkgfmt.EmitUpdate(t.Context(), spec, pkgfmt.FormatDeb, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return deb
}
