package livepatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ReconcileOptions say on whose behalf Reconcile runs.
type ReconcileOptions struct {
	// Boot arms the crash guard before anything is loaded, and judges the
	// guard that the last boot left.
	Boot bool
	// Retry is for what a timer repeats: it leaves alone what this boot's
	// kernel has refused, and says only what changed.
	Retry bool
}

// run is one locked look at the machine.
type run struct {
	*Host
	st       *state
	boot     string // the boot's identity, "" where there is none
	buildID  string
	release  string
	onDisk   []*Update
	retry    bool
	byHand   bool // an administrator named the update: livepatches of others may go
	optedOut bool
	// left are the modules that this run left loaded.
	left map[string]bool
}

// Reconcile makes the running kernel match the files on disk: of the cumulative
// updates the highest revision, and every single update, are applied unless the
// administrator undid them; what is loaded without being on disk is undone,
// unless the disk has it for another build of the kernel's release. It may run at any time and any number of times. What cannot be applied now is
// recorded; errors are those of all updates, joined.
func (h *Host) Reconcile(ctx context.Context, opt ReconcileOptions) error {
	unlock, err := h.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	st, err := h.readState()
	if err != nil {
		return err
	}
	r := &run{Host: h, st: st, retry: opt.Retry}
	if why := h.Elsewhere(); why != "" {
		clear(st.Outcomes)
		return errors.Join(r.recordOthers("", why), h.writeState(st))
	}
	if err := r.look(); err != nil {
		return err
	}
	if err := r.recordOthers(r.buildID, "it is for another kernel than the running one, "+r.release); err != nil {
		return err
	}
	if opt.Boot {
		r.judgeGuard()
	}
	err = r.reconcile(ctx, opt.Boot)
	r.tidy()
	return errors.Join(err, h.writeState(st))
}

// look fills in what the run needs to know of the running kernel.
func (r *run) look() (err error) {
	if r.buildID, err = r.BuildID(); err != nil {
		return err
	}
	if r.release, err = r.Release(); err != nil {
		return err
	}
	if r.boot, err = r.bootID(); err != nil {
		return err
	}
	r.optedOut = r.OptedOut()
	r.onDisk, err = r.Updates(r.buildID)
	return err
}

// recordOthers records as pending what is on disk for other kernels than running.
func (r *run) recordOthers(running, why string) error {
	builds, err := r.otherBuilds(running)
	if err != nil {
		return err
	}
	for _, build := range builds {
		updates, err := r.Updates(build)
		if err != nil {
			return err
		}
		for _, u := range updates {
			r.st.record(u.ID, Pending, why)
			if !r.retry {
				r.say("pending %s: %s", u.ID, why)
			}
		}
	}
	return nil
}

func (r *run) reconcile(ctx context.Context, boot bool) error {
	settled := r.settle(ctx)
	cumulative, singles, errs := r.wanted()
	if settled != nil {
		r.recordWaiting(settled, append(singles, cumulative.u))
		return errors.Join(append(errs, settled)...)
	}
	if boot {
		if err := r.arm(cumulative, singles); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	// The old revision stays as long as the new one is not applied: better an
	// old fix than none.
	keep := cumulative.u == nil && cumulative.keep
	if cumulative.u != nil {
		applied, err := r.apply(ctx, cumulative.u)
		keep = !applied
		errs = append(errs, err)
	}
	errs = append(errs, r.undoUnwanted(ctx, cumulative.u, singles, keep))
	for _, u := range singles {
		_, err := r.apply(ctx, u)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, r.unloadLeftovers(ctx))...)
}

// settle waits for the transition that an earlier run may have left. One that
// applies an update of ours and does not end is left to apply or undo, which
// reverse it.
func (r *run) settle(ctx context.Context) error {
	err := r.waitSettled(ctx)
	var b *Blocked
	if errors.As(err, &b) {
		if l, lerr := r.livepatch(b.Module); lerr == nil && l.Enabled {
			if _, ours := l.ID(); ours {
				return r.finishApply(ctx, l.Module)
			}
		}
	}
	return err
}

// recordWaiting records why, for those of wanted that are not applied yet.
func (r *run) recordWaiting(why error, wanted []*Update) {
	for _, u := range wanted {
		if u == nil || u.Manifest.Empty() {
			continue
		}
		if l, err := r.livepatch(u.Manifest.Module); err != nil || !l.Enabled {
			r.st.record(u.ID, BlockedNow, why.Error())
		}
	}
}

// choice is the cumulative update that is to be applied. Without one, keep says
// that there would be one were it usable: what is applied then stays.
type choice struct {
	u    *Update
	keep bool
}

// wanted returns what of the files on disk is to be applied, and the errors of
// the updates that cannot be.
func (r *run) wanted() (cumulative choice, singles []*Update, errs []error) {
	var best *Update
	for _, u := range r.onDisk {
		if u.Err == nil && u.Manifest.Replace {
			best = u // They come by ascending revision.
		}
	}
	for _, u := range r.onDisk {
		switch {
		case u.Err != nil:
			r.st.record(u.ID, BlockedNow, u.Err.Error())
			errs = append(errs, u.Err)
			cumulative.keep = true // It may be the newest revision.
		case u.Manifest.Replace && u != best:
			r.st.record(u.ID, Superseded, fmt.Sprintf("revision %d, update %s, is there", best.Manifest.Revision, best.ID))
		case r.st.undoneByHand(u):
			r.st.record(u.ID, Undone, "undone by hand; splicectl apply "+u.ID+" brings it back")
			if !r.retry {
				r.say("undone %s: undone by hand before, left alone", u.ID)
			}
		case r.optedOut:
			r.st.record(u.ID, Pending, OptOut+" is on the kernel's command line")
			if !r.retry {
				r.say("pending %s: %s is on the kernel's command line", u.ID, OptOut)
			}
			cumulative.keep = cumulative.keep || u.Manifest.Replace
		case r.st.Failed[u.ID] >= maxFailedBoots:
			err := refuse(u.thing(), "the last %d boots that loaded it did not stay up; splicectl apply %s tries again", r.st.Failed[u.ID], u.ID)
			r.st.record(u.ID, BlockedNow, err.Error())
			errs = append(errs, err)
			cumulative.keep = cumulative.keep || u.Manifest.Replace
		case u.Manifest.Replace:
			cumulative.u = u
		default:
			singles = append(singles, u)
		}
	}
	return cumulative, singles, errs
}

// apply applies u unless it is, records how that went, and says whether it is
// applied now.
func (r *run) apply(ctx context.Context, u *Update) (bool, error) {
	if r.retry && r.boot != "" && r.st.Outcomes[u.ID].RefusedIn == r.boot {
		return false, nil // It would only fill the kernel's log.
	}
	var done bool
	err := r.fits(u)
	if err == nil && !u.Manifest.Empty() {
		done, err = r.ensure(ctx, u)
	}
	if err != nil {
		o := outcome{State: BlockedNow, Why: err.Error()}
		var refused *Refused
		if errors.As(err, &refused) && refused.ByKernel {
			o.RefusedIn = r.boot
		}
		r.st.Outcomes[u.ID] = o
		r.st.disarm(u.ID)
		return false, err
	}
	delete(r.st.Outcomes, u.ID)
	r.st.forgetRemoved(u.ID)
	switch {
	case done:
		r.tell("applied %s (revision %d) to kernel %s", u.ID, u.Manifest.Revision, r.release)
	case !r.retry:
		r.say("applied %s (revision %d): as before", u.ID, u.Manifest.Revision)
	}
	return true, nil
}

// tidy drops what the state says of updates that are neither on disk nor loaded.
func (r *run) tidy() {
	known := make(map[string]bool)
	note := func(updates []*Update) {
		for _, u := range updates {
			known[u.ID] = true
		}
	}
	note(r.onDisk)
	if builds, err := r.otherBuilds(r.buildID); err == nil {
		for _, b := range builds {
			updates, _ := r.Updates(b)
			note(updates)
		}
	}
	loaded, _ := r.Livepatches()
	for _, l := range loaded {
		if id, ours := l.ID(); ours {
			known[id] = true
		}
	}
	for id := range r.st.Outcomes {
		if !known[id] {
			delete(r.st.Outcomes, id)
		}
	}
	r.st.Held = slices.DeleteFunc(r.st.Held, func(x held) bool { return x.Boot != r.boot || !known[x.ID] })
	r.st.Removed = slices.DeleteFunc(r.st.Removed, func(x held) bool { return x.Boot != r.boot || !known[x.ID] })
	r.forgetUnloaded()
	maps.DeleteFunc(r.st.Failed, func(id string, _ int) bool { return !known[id] })
}
