package livepatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// undoUnwanted undoes the livesplice updates that are loaded and neither wanted
// nor held by hand. With keepCumulative those that are not known to be single
// updates stay.
func (r *run) undoUnwanted(ctx context.Context, cumulative *Update, singles []*Update, keepCumulative bool) error {
	all, err := r.Livepatches()
	if err != nil {
		return err
	}
	rebuilt, err := r.rebuilt(r.release, r.buildID)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range all {
		id, ours := l.ID()
		wanted := func(u *Update) bool { return u != nil && u.ID == id }
		byHand := slices.ContainsFunc(r.st.Undone, func(d undone) bool { return d.ID == id })
		switch {
		case !ours, wanted(cumulative), slices.ContainsFunc(singles, wanted), r.st.isHeld(id, r.boot):
			continue
		case byHand, r.st.isRemoved(id, r.boot):
		case keepCumulative:
			if !r.retry {
				r.say("applied %s: kept, since what is to replace it is not applied", id)
			}
			continue
		case rebuilt.successor(id, r.onDisk) != nil:
			if !r.retry {
				r.say("applied %s: %s", id, keptFor(rebuilt.successor(id, r.onDisk)))
			}
			continue
		}
		errs = append(errs, r.undo(ctx, l.Module))
	}
	return errors.Join(errs...)
}

// undo takes module's update out of the kernel and records how that went.
func (r *run) undo(ctx context.Context, module string) error {
	id, _ := moduleID(module)
	if err := r.disable(ctx, module); err != nil {
		r.st.record(id, BlockedNow, err.Error())
		return err
	}
	if r.st.Outcomes[id].State != Undone {
		delete(r.st.Outcomes, id)
	}
	r.tell("undid %s on kernel %s", id, r.release)
	return nil
}

// rebuilt are the usable updates on disk for other builds of the release that
// runs. A package that is upgraded together with such a kernel brings updates
// for the new build only, while the old build runs until the next boot.
type rebuilt []*Update

func (h *Host) rebuilt(release, running string) (rebuilt, error) {
	builds, err := h.otherBuilds(running)
	if err != nil {
		return nil, err
	}
	var found rebuilt
	for _, b := range builds {
		updates, err := h.Updates(b)
		if err != nil {
			return nil, err
		}
		for _, u := range updates {
			if u.Err == nil && u.Manifest.Release == release {
				found = append(found, u)
			}
		}
	}
	return found, nil
}

// successor returns what has taken the place on disk of the update id, which is
// loaded and has no files for the running kernel, or nil: an update of the same
// ID, or a cumulative one. onDisk, the updates for the running kernel, must hold
// no cumulative one: that would be the successor.
func (r rebuilt) successor(id string, onDisk []*Update) *Update {
	for _, u := range onDisk {
		if u.ID == id || u.Err == nil && u.Manifest.Replace {
			return nil
		}
	}
	var best *Update
	for _, u := range r {
		if u.ID == id || u.Manifest.Replace && (best == nil || best.ID != id) {
			best = u // Each build's come by ascending revision.
		}
	}
	return best
}

// keptFor says why an update whose successor is next stays in the kernel.
func keptFor(next *Update) string {
	return fmt.Sprintf("kept until the next boot: update %s, which takes its place, is for another build of this kernel's release (build-id %s), and none is on disk for the build that runs", next.ID, next.BuildID)
}
