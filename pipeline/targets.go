package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"livesplice/kmod/match"
	"livesplice/kmod/module"
	"livesplice/kmod/unit"
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

// Locate matches one unit with a shipped kernel. target is vmlinux, or a module by the name that lsmod shows; "" finds out:
// of which no function is in vmlinux is looked for in all modules of the kernel's packages, which takes some seconds.
// name is the unit's, for messages.
func Locate(ctx context.Context, k *pkgfmt.Kernel, name string, u *unit.Unit, target string) (r *match.Result, err error) {
	defer func() {
		if err == nil {
			r.Target = cmp.Or(target, vmlinux.Object)
		}
	}()
	kernel, err := readVmlinux(k)
	if err != nil {
		return nil, err
	}
	u.Types = kernel
	if target == "" || target == vmlinux.Object {
		r, err = match.Match(name, u, kernel)
		if err != nil || target != "" || r.Strict+r.ByInsn > 0 {
			return r, err
		}
		if target, err = definingModule(ctx, k, u); err != nil || target == "" {
			return r, err
		}
	}
	im, err := newTargets(k, nil, nil).open(ctx, target)
	if err != nil {
		return nil, err
	}
	return match.Match(name, u, im)
}

// definingModule is the module that defines most of a unit's functions; "" if there is none, or several.
func definingModule(ctx context.Context, k *pkgfmt.Kernel, u *unit.Unit) (string, error) {
	ix := module.NewIndex()
	if err := k.EveryModule(ctx, func(name, _ string, image []byte) error { return ix.Add(name, image) }); err != nil {
		return "", err
	}
	var names []string
	for _, it := range u.Items {
		if it.Kind == unit.Function {
			names = append(names, it.Name)
		}
	}
	modules, _ := ix.DefiningMost(names)
	if len(modules) != 1 {
		return "", nil
	}
	return modules[0], nil
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
