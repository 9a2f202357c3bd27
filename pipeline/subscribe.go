package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"livesplice/kconfig"
	"livesplice/kmod/livepatch"
	"livesplice/pipeline/cache"
	"livesplice/pkgfmt"
)

// SubscribeOptions are what `livesplice subscribe` is told.
type SubscribeOptions struct {
	Kernel  []string // shipped packages, the image among them, or folders with them unpacked
	Formats []string // "deb", "rpm"
	Out     string   // folder for the packages
	Cache   string   // folder; "" for the user's cache
}

// Subscription is revision 0 of a kernel's cumulative update package. It changes nothing: whoever installs it gets each
// later revision as an upgrade.
type Subscription struct {
	Release  string   `json:"release"`
	BuildID  string   `json:"build_id"`
	Revision int      `json:"revision"` // 0
	Packages []string `json:"packages"` // files in SubscribeOptions.Out
}

// Subscribe makes the packages of revision 0 for a kernel. Nothing is left in Out when it fails. A kernel that cannot be
// spliced is refused.
func Subscribe(ctx context.Context, opts SubscribeOptions) (*Subscription, error) {
	if len(opts.Kernel) == 0 {
		return nil, &kconfig.UsageError{Thing: `flag "--kernel"`, Reason: "the shipped image package is needed"}
	}
	if err := errors.Join(checkFormats(opts.Formats), checkEnvironment(), probe(opts.Out)); err != nil {
		return nil, err
	}
	c, err := cache.Open(opts.Cache)
	if err != nil {
		return nil, err
	}
	k, err := pkgfmt.OpenImage(ctx, c, opts.Kernel)
	if err != nil {
		return nil, err
	}
	_, refused, err := Requirements(k)
	if err != nil {
		return nil, err
	}
	if len(refused) > 0 {
		return nil, refused
	}
	return subscribe(ctx, k, opts)
}

func subscribe(ctx context.Context, k *pkgfmt.Kernel, opts SubscribeOptions) (*Subscription, error) {
	s := &Subscription{Release: k.Release, BuildID: k.BuildID.String()}
	spec := pkgfmt.UpdateSpec{Maintainer: pkgfmt.Maintainer(), MTime: packageTime(k.Version), Manifest: &livepatch.Manifest{
		Format: livepatch.ManifestFormat, ID: fmt.Sprintf("%x", sha256.Sum256(k.BuildID))[:8], Release: k.Release, BuildID: s.BuildID, Arch: "amd64",
		Engine: livepatch.EngineLivepatch, Replace: true,
		Toolchain: livepatch.Toolchain{Compiler: k.Compiler, Linker: k.Linker, Livesplice: Version()},
	}}
	undo, err := makeFolder(opts.Out)
	if err == nil {
		err = s.emit(ctx, spec, opts)
	}
	if err != nil {
		undo()
		return nil, err
	}
	return s, nil
}

// emit writes the packages into a scratch folder beside their place, and moves them when all are there.
func (s *Subscription) emit(ctx context.Context, spec pkgfmt.UpdateSpec, opts SubscribeOptions) error {
	scratch, err := os.MkdirTemp(opts.Out, ".livesplice-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	for _, name := range slices.Compact(slices.Sorted(slices.Values(opts.Formats))) {
		path, err := pkgfmt.EmitUpdate(ctx, spec, packageFormats[name], scratch)
		if err != nil {
			return err
		}
		s.Packages = append(s.Packages, filepath.Join(opts.Out, filepath.Base(path)))
	}
	return moveAll(scratch, opts.Out)
}
