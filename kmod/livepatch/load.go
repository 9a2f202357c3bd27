package livepatch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryPerByte is how many bytes of available memory are wanted for each byte
// of a module, beside memoryFloor: the copy read, the kernel's copy, the module
// laid out, and as much again to spare.
const (
	memoryPerByte = 8
	memoryFloor   = 8 << 20
)

// fits refuses an update that is not for the running kernel. Nothing is changed.
func (h *Host) fits(u *Update) error {
	if u.Err != nil {
		return u.Err
	}
	m := u.Manifest
	release, err := h.Release()
	if err != nil {
		return err
	}
	running, err := h.BuildID()
	if err != nil {
		return err
	}
	switch {
	case m.Release != release:
		return refuse(u.thing(), "it is for kernel %s, kernel %s runs", m.Release, release)
	case m.BuildID != running:
		return refuse(u.thing(), "it is for build-id %s of kernel %s, build-id %s runs: the same release was built twice", m.BuildID, release, running)
	}
	if m.Empty() {
		return nil
	}
	if why := h.cannotLivepatch(release); why != "" {
		return refuse(u.thing(), "%s", why)
	}
	for _, o := range m.Objects {
		if o.Name == VMLinux || !h.exists("sys/module", o.Name) {
			continue // A module that is loaded later is the kernel's business.
		}
		loaded, err := h.ModuleBuildID(o.Name)
		if err != nil {
			return fmt.Errorf("module %q: %w", o.Name, err)
		}
		if loaded != o.BuildID {
			return refuse(u.thing(), "module %q that is loaded has build-id %s, the update is for %s", o.Name, loaded, o.BuildID)
		}
	}
	return nil
}

// ensure makes sure that u is applied, whatever an earlier run left behind. It
// says whether anything had to be done. A *Refused tells of another module that
// is loaded under the name of u's.
func (r *run) ensure(ctx context.Context, u *Update) (bool, error) {
	l, err := r.livepatch(u.Manifest.Module)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, r.load(ctx, u)
	case err != nil:
		return false, err
	case l.Enabled && !l.Transition:
		if err := r.loadedOther(u); err != nil {
			return false, err
		}
		if m, ok := r.st.Loaded[u.ID]; !ok || m.Boot != r.boot {
			r.st.noteLoaded(u, r.boot) // An earlier splicectl loaded it.
		}
		return false, nil
	case !l.Enabled:
		if err := r.waitSettled(ctx); err != nil {
			return false, err
		}
		return true, r.load(ctx, u)
	}
	if err := r.finishApply(ctx, l.Module); err != nil {
		return false, err
	}
	if err := r.loadedOther(u); err != nil {
		return false, err
	}
	return true, errors.Join(r.verify(u), r.unloadLeftovers(ctx))
}

// load applies u: it checks that u fits, waits for other transitions, loads the
// module or, if it is loaded and disabled, enables it anew, waits for its
// transition, and verifies what the kernel shows. It returns a *Blocked when the
// transition did not end, the kernel being as before; what u replaced is unloaded
// if it may be.
func (r *run) load(ctx context.Context, u *Update) error {
	if err := r.fits(u); err != nil {
		return err
	}
	if r.loaded(u.Manifest.Module) {
		// Loaded and yet no livepatch: one that was undone or replaced.
		gone, err := r.renew(ctx, u)
		if err != nil || !gone {
			return err
		}
	}
	if r.modulesDisabled() {
		return kernelRefuses(u.thing(), "modules cannot be loaded any more on this machine until the next boot: kernel.modules_disabled is 1")
	}
	image, err := r.image(u)
	if err != nil {
		return err
	}
	if free, ok := r.availableMemory(); ok && free < memoryFloor+memoryPerByte*int64(len(image)) {
		return refuse(u.thing(), "%d MiB of memory are available, %d MiB are wanted", free>>20, (memoryFloor+memoryPerByte*int64(len(image)))>>20)
	}
	if err := r.waitSettled(ctx); err != nil {
		return err
	}
	if err := r.heedOthers(u); err != nil {
		return err
	}
	if err := r.Kernel.InitModule(image); err != nil {
		return r.explain(u, err)
	}
	return r.settleApplied(ctx, u)
}

// settleApplied sees the transition of u through, which has just begun, and
// verifies what came of it.
func (r *run) settleApplied(ctx context.Context, u *Update) error {
	module := u.Manifest.Module
	r.st.noteLoaded(u, r.boot)
	if err := r.finishApply(ctx, module); err != nil {
		return err
	}
	if err := r.verify(u); err != nil {
		return errors.Join(err, r.disable(context.WithoutCancel(ctx), module))
	}
	return r.unloadLeftovers(ctx)
}

// loaded says whether module is among the modules.
func (h *Host) loaded(module string) bool {
	names, err := h.Modules()
	return err == nil && slices.Contains(names, module)
}

// heedOthers looks at what of the livepatches that are there u would take away:
// being cumulative all of them, being single the functions that both replace.
func (r *run) heedOthers(u *Update) error {
	all, err := r.Livepatches()
	if err != nil {
		return err
	}
	if u.Manifest.Replace {
		return r.heedForeign(u, all)
	}
	return r.heedOverlap(u, all)
}

// heedForeign looks for livepatches that are not livesplice's and that u, being
// cumulative, would replace: the kernel replaces whatever is there, and undoing
// u does not bring it back. Only an administrator may want that.
func (r *run) heedForeign(u *Update, all []Livepatch) error {
	var foreign []string
	for _, l := range all {
		if _, ours := l.ID(); !ours {
			foreign = append(foreign, strconv.Quote(l.Module))
		}
	}
	names := strings.Join(foreign, ", ")
	switch {
	case len(foreign) == 0:
	case r.byHand:
		r.tell("note: update %s replaces what is not of livesplice: livepatch %s; undoing it will not bring that back", u.ID, names)
	default:
		return refuse(u.thing(), "it is cumulative and would replace what is not of livesplice: livepatch %s, which undoing it would not bring back; splicectl apply %s does so all the same", names, u.ID)
	}
	return nil
}

// explain turns the error of init_module(2) into what it means for a livepatch.
// Source: kernel/module/main.c, kernel/module/signing.c and
// kernel/livepatch/core.c, v6.1.
func (h *Host) explain(u *Update, err error) error {
	thing := fmt.Sprintf("module %q", u.Manifest.Module)
	switch {
	case errors.Is(err, unix.EBUSY):
		return &Blocked{Module: u.Manifest.Module, Reason: "another transition began just now; it is not applied"}
	case errors.Is(err, unix.EKEYREJECTED), errors.Is(err, unix.ENOKEY):
		return kernelRefuses(thing, "the kernel wants a signature by a key that it knows (%v): %s", err, h.signaturePolicy())
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		// Lockdown wants a signature; LoadPin, IMA and SELinux have rules of their own.
		return kernelRefuses(thing, "the kernel does not permit it (%v): lockdown, which wants a signature by a key that it knows, or another security module: %s; the kernel log may have the reason", err, h.signaturePolicy())
	case errors.Is(err, unix.ENOEXEC):
		return kernelRefuses(thing, "the kernel does not take it for a module of its own (%v): the kernel log has the reason", err)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
		return kernelRefuses(thing, "the kernel does not accept it (%v): the kernel log has the reason", err)
	}
	return fmt.Errorf("%s: loading: %w", thing, err)
}

func kernelRefuses(thing, format string, args ...any) error {
	return &Refused{Thing: thing, Reason: fmt.Sprintf(format, args...), ByKernel: true}
}

// verify asks the kernel whether the livepatch is what the manifest says: each
// function is there, each object that is loaded is patched.
func (h *Host) verify(u *Update) error {
	for _, o := range u.Manifest.Objects {
		dir := path.Join("sys/kernel/livepatch", u.Manifest.Module, o.Name)
		for _, f := range o.Functions {
			name := f.shownAs()
			if !h.exists(dir, name) {
				return fmt.Errorf("livepatch %q: the manifest says that it replaces %s of %s, the kernel shows no such function", u.Manifest.Module, name, o.Name)
			}
		}
		if o.Name != VMLinux && !h.exists("sys/module", o.Name) {
			continue
		}
		patched, err := h.attr(dir, "patched")
		if errors.Is(err, fs.ErrNotExist) {
			continue // before Linux 6.1
		}
		if err != nil {
			return err
		}
		if patched != "1" {
			return fmt.Errorf("livepatch %q: object %q is not patched", u.Manifest.Module, o.Name)
		}
	}
	return nil
}
