package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"livesplice/kmod/match"
	"livesplice/kmod/module"
	"livesplice/kmod/vmlinux"
	"livesplice/pkgfmt"
)

// targets are the shipped binaries that the units of an update are part of. Modules are read when they are first asked
// for.
type targets struct {
	kernel *pkgfmt.Kernel
	image  *vmlinux.Image
	vers   vmlinux.Symvers

	mu     sync.Mutex
	images map[string]*module.Image
	linked map[string]*module.Linked
}

func newTargets(k *pkgfmt.Kernel, image *vmlinux.Image, vers vmlinux.Symvers) *targets {
	return &targets{kernel: k, image: image, vers: vers, images: map[string]*module.Image{}, linked: map[string]*module.Linked{}}
}

// run is the shipped binary of a target.
func (t *targets) run(ctx context.Context, target string) (match.Run, error) {
	if target == vmlinux.Object {
		return t.image, nil
	}
	return t.module(ctx, target)
}

// module is a target that is not vmlinux, linked with what it imports.
func (t *targets) module(ctx context.Context, name string) (*module.Linked, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.linked[name]; l != nil {
		return l, nil
	}
	im, err := t.open(ctx, name)
	if err != nil {
		return nil, err
	}
	l, err := module.Link(im, t.image, t.vers, func(other string) (*module.Image, error) { return t.open(ctx, other) })
	if err != nil {
		return nil, err
	}
	t.linked[name] = l
	return l, nil
}

// open reads a shipped module.
func (t *targets) open(ctx context.Context, name string) (*module.Image, error) {
	if im := t.images[name]; im != nil {
		return im, nil
	}
	path, err := t.kernel.Module(ctx, name)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	bad := func(err error) error {
		return &pkgfmt.InputError{Path: t.kernel.Origin(path), Want: "module " + name + " of " + t.kernel.Release, Err: err}
	}
	im, err := module.Parse(data)
	switch {
	case err != nil:
		return nil, bad(err)
	case im.Name != name:
		return nil, bad(fmt.Errorf("it calls itself %q", im.Name))
	case im.Release() != t.kernel.Release:
		return nil, &pkgfmt.MismatchError{Path: t.kernel.Origin(path), Got: "a module of kernel " + im.Release(), Want: "one of " + t.kernel.Release}
	case len(im.BuildID) == 0:
		return nil, bad(errors.New("it has no build-id, by which the patched machine could know it"))
	}
	t.images[name] = im
	return im, nil
}

// opened are the images of all modules read so far, by name.
func (t *targets) opened() map[string]*module.Image {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]*module.Image, len(t.images))
	for name, im := range t.images {
		out[name] = im
	}
	return out
}
