package pipeline

import (
	"cmp"
	"context"
	"errors"
	"strconv"
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

	external map[string]string // files of out-of-tree modules, by name

	mu     sync.Mutex
	images map[string]*module.Image
	linked map[string]*module.Linked
}

func newTargets(k *pkgfmt.Kernel, image *vmlinux.Image, vers vmlinux.Symvers, external map[string]string) *targets {
	return &targets{kernel: k, image: image, vers: vers, external: external, images: map[string]*module.Image{}, linked: map[string]*module.Linked{}}
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
	file, external := t.external[name]
	im, err := openModule(ctx, t.kernel, name, file)
	if err != nil {
		return nil, err
	}
	if external && im.InTree() {
		return nil, &pkgfmt.MismatchError{Path: name + ".ko", Got: "module " + name + " of the kernel itself", Want: "the out-of-tree module of this name: its file by --module, or the package that has it by --kernel"}
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
	im, err := newTargets(k, nil, nil, nil).open(ctx, target)
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

// openModule reads a shipped module, from its file or, for "", from the kernel's packages.
func openModule(ctx context.Context, k *pkgfmt.Kernel, name, file string) (*module.Image, error) {
	origin := file
	if file == "" {
		var err error
		if file, err = k.Module(ctx, name); err != nil {
			return nil, err
		}
		origin = k.Origin(file)
	}
	im, err := readModule(ctx, k, file, origin)
	if err == nil && im.Name != name {
		err = &pkgfmt.InputError{Path: origin, Want: "module " + name + " of " + k.Release, Got: "one that calls itself " + strconv.Quote(im.Name)}
	}
	return im, err
}

// readModule reads the file of a shipped module, which must be one of this kernel.
func readModule(ctx context.Context, k *pkgfmt.Kernel, file, origin string) (*module.Image, error) {
	data, err := pkgfmt.ReadModule(ctx, file, origin)
	if err != nil {
		return nil, err
	}
	im, err := module.Parse(data)
	bad := func(err error) (*module.Image, error) {
		return nil, &pkgfmt.InputError{Path: origin, Want: "a module of " + k.Release, Err: err}
	}
	switch {
	case err != nil:
		return bad(err)
	case im.Release() != k.Release:
		return nil, &pkgfmt.MismatchError{Path: origin, Got: "a module of kernel " + im.Release(), Want: "one of " + k.Release}
	case len(im.BuildID) == 0:
		return bad(errors.New("it has no build-id, by which the patched machine could know it"))
	}
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
