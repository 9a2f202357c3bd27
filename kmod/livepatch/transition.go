package livepatch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// poll calls done every pollInterval until it says true or fails, for at most
// Timeout; it says whether done did. A context that ends ends the wait as the
// timeout does: what is under way in the kernel is settled either way.
func (h *Host) poll(ctx context.Context, done func() (bool, error)) (bool, error) {
	// Both count: a test's sleep takes no time, a slow machine's look does.
	began := time.Now()
	for slept := time.Duration(0); ; slept += pollInterval {
		ok, err := done()
		if ok || err != nil {
			return ok, err
		}
		if max(slept, time.Since(began)) >= h.Timeout || h.Kernel.Sleep(ctx, pollInterval) != nil {
			return false, nil
		}
	}
}

// patience says how long was waited before the wait was given up.
func (h *Host) patience(ctx context.Context) string {
	if ctx.Err() != nil {
		return "before the interruption"
	}
	return "within " + h.Timeout.String()
}

// waitApplied waits until module's livepatch is enabled and its transition has
// ended.
func (h *Host) waitApplied(ctx context.Context, module string) (bool, error) {
	return h.poll(ctx, func() (bool, error) {
		l, err := h.livepatch(module)
		return err == nil && l.Enabled && !l.Transition, err
	})
}

// waitGone waits until module's livepatch has vanished, as it does when its
// disabling ends or when it has been replaced.
func (h *Host) waitGone(ctx context.Context, module string) (bool, error) {
	return h.poll(ctx, func() (bool, error) {
		_, err := h.livepatch(module)
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		return false, err
	})
}

// waitSettled waits until no livepatch at all is in transition: the kernel
// takes one at a time. A *Blocked names the one that is.
func (h *Host) waitSettled(ctx context.Context) error {
	var l *Livepatch
	ok, err := h.poll(ctx, func() (bool, error) {
		var err error
		l, err = h.Transitioning()
		return l == nil, err
	})
	if err != nil || ok {
		return err
	}
	return &Blocked{Module: l.Module, Reason: fmt.Sprintf("its transition has not ended within %v, and the kernel takes one at a time", h.Timeout), Holders: h.Blockers(*l)}
}

// setEnabled writes the attribute enabled of module's livepatch.
func (h *Host) setEnabled(module, value string) error {
	err := h.Kernel.WriteFile(h.path("sys/kernel/livepatch", module, "enabled"), value)
	if err != nil {
		return fmt.Errorf("livepatch %q: writing %s to enabled: %w", module, value, err)
	}
	return nil
}

// finishApply waits for the transition that loading module began. When it does
// not end in time it is reversed, the reversal is awaited, the module is
// unloaded if that may be, and a *Blocked tells which tasks held it up.
func (r *run) finishApply(ctx context.Context, module string) error {
	ok, err := r.waitApplied(ctx, module)
	if ok || err != nil {
		return err
	}
	l, err := r.livepatch(module)
	if err != nil || (l.Enabled && !l.Transition) {
		return err // It ended just now.
	}
	blocked, patience := &Blocked{Module: module, Holders: r.Blockers(l)}, r.patience(ctx)
	// The reversal must be seen through even when the user has lost patience.
	ctx = context.WithoutCancel(ctx)
	if err := r.setEnabled(module, "0"); err != nil {
		return err
	}
	gone, err := r.waitGone(ctx, module)
	if err != nil {
		return err
	}
	if !gone {
		blocked.Reason = fmt.Sprintf("its transition did not end %s, nor did the reversal, which goes on in the kernel", patience)
		return blocked
	}
	blocked.Reason = fmt.Sprintf("its transition did not end %s and was reversed: it is not applied", patience)
	if err := r.unload(ctx, module); err != nil {
		return errors.Join(blocked, err)
	}
	return blocked
}

// disable undoes module's livepatch and unloads the module if that may be. When the transition
// does not end in time it is reversed, the reversal is awaited, and a *Blocked
// tells which tasks held it up: the livepatch stays applied then.
func (r *run) disable(ctx context.Context, module string) error {
	if err := r.startDisable(ctx, module); err != nil {
		return err
	}
	gone, err := r.waitGone(ctx, module)
	if err != nil {
		return err
	}
	if gone {
		return r.unload(ctx, module)
	}
	l, err := r.livepatch(module)
	if errors.Is(err, fs.ErrNotExist) {
		return r.unload(ctx, module)
	}
	if err != nil {
		return err
	}
	blocked, patience := &Blocked{Module: module, Holders: r.Blockers(l)}, r.patience(ctx)
	ctx = context.WithoutCancel(ctx)
	if err := r.setEnabled(module, "1"); err != nil {
		if _, lerr := r.livepatch(module); errors.Is(lerr, fs.ErrNotExist) {
			return r.unload(ctx, module) // It ended just now.
		}
		return err
	}
	blocked.Reason = fmt.Sprintf("its transition did not end %s, nor did the reversal, which goes on in the kernel", patience)
	if back, err := r.waitApplied(ctx, module); err != nil {
		return err
	} else if back {
		blocked.Reason = fmt.Sprintf("undoing it did not end %s and was reversed: it is still applied", patience)
	}
	return blocked
}

// startDisable sets module's livepatch on the way to being disabled: one that is
// being applied is reversed at once, one that is applied has to wait for other
// transitions.
func (h *Host) startDisable(ctx context.Context, module string) error {
	l, err := h.livepatch(module)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !l.Enabled {
		return nil
	}
	if !l.Transition {
		if err := h.waitSettled(ctx); err != nil {
			return err
		}
	}
	err = h.setEnabled(module, "0")
	if errors.Is(err, unix.EBUSY) {
		return &Blocked{Module: module, Reason: "another transition began just now; it is still applied"}
	}
	if err == nil {
		return nil
	}
	// Writing the present value is an error; somebody else was faster then.
	if l, lerr := h.livepatch(module); errors.Is(lerr, fs.ErrNotExist) || (lerr == nil && !l.Enabled) {
		return nil
	}
	return err
}
