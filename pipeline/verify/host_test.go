package verify

import (
	"path/filepath"
	"testing"

	"livesplice/pkgfmt"
)

// TestHostPackageIsMade: there is no package of splicectl beside the update, nor beside this program.
func TestHostPackageIsMade(t *testing.T) {
	for _, format := range []pkgfmt.Format{pkgfmt.FormatDeb, pkgfmt.FormatRPM} {
		scratch := t.TempDir()
		path, err := hostPackage(t.Context(), Options{Package: filepath.Join(t.TempDir(), "update")}, format, scratch)
		if err != nil {
			t.Fatal(err)
		}
		if path, err = named(path, format); err != nil || filepath.Dir(path) != scratch {
			t.Errorf("%s: %q, %v", format, path, err)
		}
	}
}
