package pkgfmt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"livesplice/kmod/livepatch"
)

// Update is the package of an update, as EmitUpdate writes it.
type Update struct {
	*Package
	Manifest *livepatch.Manifest
	Dir      string // the update's folder in the package: "usr/lib/livesplice/<build-id>/<id>"
}

// maxUpdateFile bounds a file of an update: a module with its debug information has some megabytes.
const maxUpdateFile = 256 << 20

const wantUpdate = "the package of an update, as livesplice create makes it"

// ReadUpdate reads an update's package and holds its files against its manifest. *InputError for anything else, and for
// a package in which they do not agree.
func ReadUpdate(ctx context.Context, name string) (*Update, error) {
	pkg, err := Open(name)
	if err != nil {
		return nil, err
	}
	u, err := readUpdate(ctx, pkg)
	if err == nil && u.Manifest == nil {
		err = &InputError{Path: name, Want: wantUpdate, Got: fmt.Sprintf("package %s without a manifest of one", pkg.Name)}
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// readUpdate reads what a package has of an update. Its Manifest is nil when there is none.
func readUpdate(ctx context.Context, pkg *Package) (*Update, error) {
	name, u := pkg.Path, &Update{Package: pkg}
	sums := map[string]string{} // sha256 of each file, by its path
	err := pkg.Walk(ctx, func(e Entry, r io.Reader) error {
		if !strings.HasPrefix(e.Name, livepatch.UpdatesDir+"/") || !e.Mode.IsRegular() {
			return nil
		}
		data, err := io.ReadAll(io.LimitReader(r, maxUpdateFile+1))
		if err != nil {
			return err
		}
		if len(data) > maxUpdateFile {
			return &InputError{Path: name + " (" + e.Name + ")", Want: wantUpdate, Got: fmt.Sprintf("a file of more than %d bytes", maxUpdateFile)}
		}
		sum := sha256.Sum256(data)
		sums[e.Name] = hex.EncodeToString(sum[:])
		if path.Base(e.Name) != livepatch.ManifestName {
			return nil
		}
		if u.Manifest != nil {
			return &InputError{Path: name, Want: wantUpdate, Got: "one with several manifests"}
		}
		u.Dir = path.Dir(e.Name)
		if u.Manifest, err = livepatch.ParseManifest(data); err != nil {
			return &InputError{Path: name + " (" + e.Name + ")", Want: wantUpdate, Err: err}
		}
		return nil
	})
	if err != nil || u.Manifest == nil {
		return u, err
	}
	if err := u.agree(sums); err != nil {
		return nil, &InputError{Path: name, Want: wantUpdate, Err: err}
	}
	return u, nil
}

// agree holds the package's files against the manifest.
func (u *Update) agree(sums map[string]string) error {
	m := u.Manifest
	if want := path.Join(livepatch.UpdatesDir, m.BuildID, m.ID); u.Dir != want {
		return fmt.Errorf("the manifest is in %q, and says of itself that it belongs in %q", u.Dir, want)
	}
	want := map[string]string{}
	if !m.Empty() {
		want[m.ModuleFile] = m.ModuleSHA256
	}
	for _, p := range m.Patches {
		want[p.Name] = p.SHA256
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch got, ok := sums[path.Join(u.Dir, name)]; {
		case !ok:
			errs = append(errs, fmt.Errorf("file %q is missing", name))
		case got != want[name]:
			errs = append(errs, fmt.Errorf("file %q has sha256 %s, the manifest says %s", name, got, want[name]))
		}
	}
	return errors.Join(errs...)
}
