package pkgfmt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"livesplice/kmod/livepatch"
)

// TestDebianChangelog holds the entry in the .deb, and lets dpkg read it.
func TestDebianChangelog(t *testing.T) {
	spec := updateSpec("0badcafe", 3, false)
	spec.Manifest.Fixes = []string{"CVE-2026-10000", "CVE-2026-10001", "CVE-2026-10002", "CVE-2026-10003", "CVE-2026-10004"}
	spec.Manifest.NeedsReboot = []string{"CVE-2026-20000"}
	dir := t.TempDir()
	does(t, "dpkg-deb", "-x", emitUpdate(t, spec, FormatDeb), dir)
	file := filepath.Join(dir, "usr/share/doc/linux-livesplice-6.1.0-54-amd64/changelog.gz")
	text := does(t, "zcat", file)
	const want = `linux-livesplice-6.1.0-54-amd64 (3) unstable; urgency=high

  * Revision 3, update 0badcafe: namei: refuse empty names
  * Fixes CVE-2026-10000, CVE-2026-10001, CVE-2026-10002, CVE-2026-10003,
    CVE-2026-10004.
  * Not in this update, needs a reboot: CVE-2026-20000.
  * Replaces in vmlinux: path_openat.

 -- Nobody <nobody@example.org>  Wed, 04 Mar 2026 05:06:07 +0000
`
	if text != want {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
	plain := filepath.Join(t.TempDir(), "changelog")
	if err := os.WriteFile(plain, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	fields := does(t, "dpkg-parsechangelog", "-l", plain, "-c1")
	for _, line := range []string{"Source: linux-livesplice-6.1.0-54-amd64", "Version: 3", "Distribution: unstable", "Urgency: high", "Maintainer: Nobody <nobody@example.org>", "Timestamp: 1772600767"} {
		if !slices.Contains(strings.Split(fields, "\n"), line) {
			t.Errorf("dpkg-parsechangelog does not say %q:\n%s", line, fields)
		}
	}
}

// TestRPMChangelog lets rpm show the %changelog.
func TestRPMChangelog(t *testing.T) {
	spec := updateSpec("0badcafe", 3, false)
	spec.Manifest.Description = "quotes \" and: {braces}\nsecond line"
	const want = `* Wed Mar 04 2026 Nobody <nobody@example.org> - 3-1
- Revision 3, update 0badcafe: quotes " and: {braces}
- Fixes CVE-2026-10000, CVE-2026-10001.
- Replaces in vmlinux: path_openat.
`
	if got := does(t, "rpm", "-qp", "--changelog", emitUpdate(t, spec, FormatRPM)); strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestUpdateIsDescribed reads the manifest back out of both packages.
func TestUpdateIsDescribed(t *testing.T) {
	spec := updateSpec("0badcafe", 3, false)
	for _, format := range []Format{FormatDeb, FormatRPM} {
		d, err := Describe(t.Context(), emitUpdate(t, spec, format))
		if err != nil {
			t.Fatal(err)
		}
		if d.Update == nil || d.Update.ID != "0badcafe" || d.Update.Objects[0].Functions[0].Name != "path_openat" {
			t.Errorf("%v: update is %+v", format, d.Update)
		}
	}
	// A manifest by itself, one that is none, and the package of splicectl, which is of no update.
	dir := t.TempDir()
	data, err := spec.Manifest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, livepatch.ManifestName)
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if d, err := Describe(t.Context(), file); err != nil || d.Kind != "manifest" || d.Update.ID != "0badcafe" {
		t.Errorf("manifest: %+v, %v", d, err)
	}
	if err := os.WriteFile(file, []byte(`{"format": 7}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Describe(t.Context(), file); err == nil || !strings.Contains(err.Error(), "format 7") {
		t.Errorf("a manifest of another format: %v", err)
	}
}
