package pkgfmt

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"

	"livesplice/kmod/livepatch"
)

// manifestIn gives the manifest of the update that a package brings; nil for any other package. *InputError for one whose
// files do not agree with it.
func manifestIn(ctx context.Context, p *Package) (*livepatch.Manifest, error) {
	if !strings.Contains(p.Name, "livesplice-") {
		return nil, nil // reading all of a kernel's package takes seconds
	}
	u, err := readUpdate(ctx, p)
	if err != nil {
		return nil, err
	}
	return u.Manifest, nil
}

// manifestBeside gives the manifest in the folder of a module, if it is that of this very module.
func manifestBeside(module string, image []byte) *livepatch.Manifest {
	m, err := livepatch.ReadManifest(filepath.Join(filepath.Dir(module), livepatch.ManifestName))
	if err != nil || m.ModuleSHA256 != fmt.Sprintf("%x", sha256.Sum256(image)) {
		return nil
	}
	return m
}
