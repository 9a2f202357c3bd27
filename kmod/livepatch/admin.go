package livepatch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// begin locks, reads the state and looks at the machine, on behalf of an
// administrator. It refuses where the kernel is not this root's to change.
// Undoing is no business of the state's: with undoing, one that cannot be read,
// which a later splicectl may have left, is left alone and counts as empty.
func (h *Host) begin(ctx context.Context, undoing bool) (*run, func(), error) {
	if why := h.Elsewhere(); why != "" {
		return nil, nil, refuse("running kernel", "%s", why)
	}
	unlock, err := h.lock(ctx)
	if err != nil {
		return nil, nil, err
	}
	st, err := h.readState()
	if err != nil && undoing {
		h.say("warning: %v; undoing all the same, without remembering it", err)
		st, err = newState(), nil
		st.unreadable = true
	}
	if err != nil {
		unlock()
		return nil, nil, err
	}
	r := &run{Host: h, st: st, byHand: true}
	if err := r.look(); err != nil {
		unlock()
		return nil, nil, err
	}
	return r, unlock, nil
}

// Apply applies one update because the administrator says so: by its ID, or by
// the path of a folder that holds its manifest, or of the manifest itself. It
// overrides what was undone by hand, what the crash guard leaves out, OptOut,
// and livepatches that are not of livesplice and that the update replaces.
func (h *Host) Apply(ctx context.Context, what string) error {
	r, unlock, err := h.begin(ctx, false)
	if err != nil {
		return err
	}
	defer unlock()
	u, err := r.find(what)
	if err != nil {
		return err
	}
	if err := r.fits(u); err != nil {
		return err
	}
	if newer := r.newerApplied(u); newer != nil {
		return refuse(u.thing(), "revision %d, update %s, is applied and revision %d would take its fixes away; undo it first", newer.Manifest.Revision, newer.ID, u.Manifest.Revision)
	}
	r.st.forgetUndone(u, r.onDisk)
	r.st.absolve(u.ID)
	if r.byHandOnly(u) && !r.st.isHeld(u.ID, r.boot) {
		r.st.Held = append(r.st.Held, held{ID: u.ID, Boot: r.boot})
	}
	_, err = r.apply(ctx, u)
	return errors.Join(err, h.writeState(r.st))
}

// find returns the update that an administrator means.
func (r *run) find(what string) (*Update, error) {
	if idPattern.MatchString(what) {
		for _, u := range r.onDisk {
			if u.ID == what {
				return u, nil
			}
		}
		return nil, r.notHere(what)
	}
	abs, err := filepath.Abs(what)
	if err != nil {
		return nil, err
	}
	if !r.exists(abs) {
		return nil, fmt.Errorf("update %q: expected an ID of eight hexadecimal digits or the path of an update's folder: %w", what, ErrUnknownUpdate)
	}
	if path.Base(abs) == ManifestName {
		abs = path.Dir(abs)
	}
	u := r.readUpdate(strings.TrimPrefix(abs, "/"))
	return u, u.Err
}

// notHere returns the error for an ID that is not on disk for the running
// kernel: it may be there for another one.
func (r *run) notHere(id string) error {
	builds, _ := r.otherBuilds(r.buildID)
	for _, b := range builds {
		if r.exists(UpdatesDir, b, id) {
			return refuse(fmt.Sprintf("update %q", id), "it is for build-id %s, kernel %s has build-id %s", b, r.release, r.buildID)
		}
	}
	return fmt.Errorf("update %q: %w", id, ErrUnknownUpdate)
}

// newerApplied returns the cumulative update of a higher revision than the
// cumulative u that is applied, or nil.
func (r *run) newerApplied(u *Update) *Update {
	if !u.Manifest.Replace {
		return nil
	}
	for _, other := range r.onDisk {
		if other.Manifest != nil && other.Manifest.Replace && other.Manifest.Revision > u.Manifest.Revision {
			if l, err := r.livepatch(other.Manifest.Module); err == nil && l.Enabled {
				return other
			}
		}
	}
	return nil
}

// byHandOnly says whether reconcile would not apply u by itself: its files are
// elsewhere, or a higher revision is on disk.
func (r *run) byHandOnly(u *Update) bool {
	listed := false
	for _, other := range r.onDisk {
		if other.Dir == u.Dir {
			listed = true
		} else if other.Manifest != nil && other.Manifest.Replace && u.Manifest.Replace && other.Manifest.Revision > u.Manifest.Revision {
			return true
		}
	}
	return !listed
}

// Undo takes the update id out of the running kernel and remembers that, so
// that reconcile does not bring it back: Apply or a new revision does. With
// forget, nothing is remembered: the package that holds the files is being
// removed. An update that is not applied is no error, and a state that cannot be
// read is not in the way.
func (h *Host) Undo(ctx context.Context, id string, forget bool) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("update %q: expected eight hexadecimal digits: %w", id, ErrUnknownUpdate)
	}
	if why := h.Elsewhere(); why != "" && forget {
		h.say("not applied %s: %s", id, why)
		return nil
	}
	r, unlock, err := h.begin(ctx, true)
	if err != nil {
		return err
	}
	defer unlock()
	err = r.undoByHand(ctx, id, forget)
	return errors.Join(err, h.writeState(r.st))
}

// UndoAll is Undo for every livesplice update, on disk for the running kernel
// or loaded.
func (h *Host) UndoAll(ctx context.Context, forget bool) error {
	if why := h.Elsewhere(); why != "" && forget {
		h.say("nothing is applied: %s", why)
		return nil
	}
	r, unlock, err := h.begin(ctx, true)
	if err != nil {
		return err
	}
	defer unlock()
	var ids []string
	loaded, err := r.Livepatches()
	if err != nil {
		return err
	}
	for _, l := range loaded {
		if id, ours := l.ID(); ours {
			ids = append(ids, id)
		}
	}
	for _, u := range r.onDisk {
		if _, err := r.livepatch(ModuleName(u.ID)); errors.Is(err, fs.ErrNotExist) && !forget {
			ids = append(ids, u.ID)
		}
	}
	var errs []error
	for _, id := range ids {
		errs = append(errs, r.undoByHand(ctx, id, forget))
	}
	if len(ids) == 0 {
		h.say("nothing to undo")
	}
	errs = append(errs, r.unloadLeftovers(ctx), h.writeState(r.st))
	return errors.Join(errs...)
}

func (r *run) undoByHand(ctx context.Context, id string, forget bool) error {
	var u *Update
	for _, other := range r.onDisk {
		if other.ID == id {
			u = other
		}
	}
	_, err := r.livepatch(ModuleName(id))
	applied := err == nil
	if u == nil && !applied && !forget {
		return r.notHere(id)
	}
	r.st.release(id)
	r.remember(id, u, forget)
	if err := r.writeState(r.st); err != nil {
		return err
	}
	if !applied {
		r.say("not applied %s: nothing to undo", id)
		if forget {
			delete(r.st.Outcomes, id)
		} else {
			r.st.record(id, Undone, "undone by hand")
		}
		if module := ModuleName(id); r.loaded(module) {
			return r.unload(ctx, module)
		}
		return nil
	}
	if err := r.undo(ctx, ModuleName(id)); err != nil {
		if forget && !r.st.isRemoved(id, r.boot) {
			r.st.Removed = append(r.st.Removed, held{ID: id, Boot: r.boot})
		}
		return err
	}
	if !forget {
		r.st.record(id, Undone, "undone by hand; splicectl apply "+id+" brings it back")
	}
	return nil
}

// remember notes that the administrator undid id, or, with forget, that there
// is nothing to be known of it any longer.
func (r *run) remember(id string, u *Update, forget bool) {
	if forget {
		r.st.Undone = dropUndone(r.st.Undone, id)
		r.st.absolve(id)
		return
	}
	d := undone{ID: id, BuildID: r.buildID}
	if u != nil && u.Manifest != nil {
		d.Revision, d.Replace = u.Manifest.Revision, u.Manifest.Replace
	}
	r.st.Undone = append(dropUndone(r.st.Undone, id), d)
}

func dropUndone(list []undone, id string) []undone {
	var kept []undone
	for _, d := range list {
		if d.ID != id {
			kept = append(kept, d)
		}
	}
	return kept
}
