package pkgfmt

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"livesplice/kmod/livepatch"
)

// maxManifest bounds the manifest in a package, in bytes, as livepatch.ParseManifest does.
const maxManifest = 16 << 20

// manifestIn gives the manifest of the update that a package brings; nil for any other package. One that cannot be read is
// an *InputError.
func manifestIn(ctx context.Context, p *Package) (m *livepatch.Manifest, err error) {
	if !strings.Contains(p.Name, "livesplice-") {
		return nil, nil // reading all of a kernel's package takes seconds
	}
	err = p.Walk(ctx, func(e Entry, r io.Reader) error {
		if !strings.HasPrefix(e.Name, livepatch.UpdatesDir+"/") || path.Base(e.Name) != livepatch.ManifestName {
			return nil
		}
		data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
		if err != nil {
			return err
		}
		if m, err = livepatch.ParseManifest(data); err != nil {
			return &InputError{Path: p.Path, Want: "the package of an update", Err: fmt.Errorf("file %q in it: %w", e.Name, err)}
		}
		return ErrStop
	})
	return m, err
}

// manifestBeside gives the manifest in the folder of a module, if it is that of this very module.
func manifestBeside(module string, image []byte) *livepatch.Manifest {
	m, err := livepatch.ReadManifest(filepath.Join(filepath.Dir(module), livepatch.ManifestName))
	if err != nil || m.ModuleSHA256 != fmt.Sprintf("%x", sha256.Sum256(image)) {
		return nil
	}
	return m
}
