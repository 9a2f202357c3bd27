package livepatch

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// enableParameter is the parameter of a module of livesplice by which it enables
// its livepatch anew: the kernel itself enables one only as its module is loaded.
// See kmod/link/kernel/module.c.tmpl.
const enableParameter = "enable"

// renew applies u, whose module is loaded and disabled, by having the module
// enable itself. A module that cannot, or that is not the one on disk, is unloaded
// if it may be: then gone says that u is to be loaded.
func (r *run) renew(ctx context.Context, u *Update) (gone bool, err error) {
	module := u.Manifest.Module
	other := r.loadedOther(u)
	if other != nil || !r.exists("sys/module", module, "parameters", enableParameter) {
		return r.makeRoom(ctx, u, other)
	}
	if err := r.waitSettled(ctx); err != nil {
		return false, err
	}
	if err := r.heedOthers(u); err != nil {
		return false, err
	}
	if err := r.enableLoaded(ctx, module); err != nil {
		return false, err
	}
	return false, r.settleApplied(ctx, u)
}

// makeRoom unloads the module that is in the way of loading u.
func (r *run) makeRoom(ctx context.Context, u *Update, other error) (gone bool, err error) {
	module := u.Manifest.Module
	if err := r.unload(ctx, module); err != nil {
		return false, err
	}
	if !r.loaded(module) {
		return true, nil
	}
	id, _ := moduleID(module)
	reason := "its module is loaded, disabled, and has no parameter \"" + enableParameter + "\" by which later ones enable themselves again"
	if other != nil {
		reason = "another build of its module is loaded, disabled"
	}
	reason += "; it stays " + r.st.Loaded[id].Stays
	if r.hold(id) == "" && !r.modulesDisabled() {
		return false, &Blocked{Module: module, Reason: reason} // It goes once no task is in it.
	}
	return false, kernelRefuses(u.thing(), "%s", reason)
}

// enableLoaded has the module enable its livepatch. The kernel gives up its hold
// on a module a moment after the livepatch's folder has vanished, hence the
// repetition. EBUSY stands for that hold, or for a transition that began just now.
func (r *run) enableLoaded(ctx context.Context, module string) error {
	var last error
	ok, err := r.poll(ctx, func() (bool, error) {
		last = r.Kernel.WriteFile(r.path("sys/module", module, "parameters", enableParameter), "1")
		switch {
		case last == nil:
			return true, nil
		case errors.Is(last, unix.EBUSY):
			return false, nil
		}
		return false, fmt.Errorf("module %q: writing 1 to its parameter %q: %w; the kernel log may have the reason", module, enableParameter, last)
	})
	if ok || err != nil {
		return err
	}
	if n, err := r.attr("sys/module", module, "refcnt"); err == nil && n != "0" {
		return kernelRefuses(fmt.Sprintf("module %q", module), "it cannot be enabled again until the next boot: the kernel holds it still after %v, as it does for ever when a transition was forced", r.Timeout)
	}
	return &Blocked{Module: module, Reason: fmt.Sprintf("it could not be enabled again within %v: %v; it is not applied", r.Timeout, last)}
}
