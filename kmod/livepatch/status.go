package livepatch

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Status is the whole answer of `splicectl status`; its JSON is stable.
type Status struct {
	Format  int    `json:"format"`
	Kernel  string `json:"kernel"`
	BuildID string `json:"build_id"`
	// Elsewhere says why the kernel is not this root's to change; empty on the
	// machine itself.
	Elsewhere string `json:"elsewhere,omitempty"`
	// Unable says why the kernel takes no livepatch.
	Unable string `json:"unable,omitempty"`
	// OptedOut says that OptOut is on the kernel's command line.
	OptedOut bool `json:"opted_out"`
	// Updates are those on disk, then those that are loaded only.
	Updates []UpdateStatus `json:"updates"`
	// Foreign are the livepatches that are not of livesplice.
	Foreign []string `json:"foreign"`
	// Disabled are the modules of updates that stay loaded, disabled.
	Disabled []DisabledModule `json:"disabled"`
}

// UpdateStatus is one update. What only the manifest knows is empty for an
// update without a usable one.
type UpdateStatus struct {
	ID          string      `json:"id"`
	State       UpdateState `json:"state"`
	Why         string      `json:"why,omitempty"`
	Release     string      `json:"release,omitempty"`
	BuildID     string      `json:"build_id,omitempty"`
	Revision    int         `json:"revision"`
	Replace     bool        `json:"replace"`
	Description string      `json:"description,omitempty"`
	Fixes       []string    `json:"fixes"`
	// MayUnload says that the update's module goes when the update is undone or
	// replaced, as soon as no task is in it.
	MayUnload bool `json:"may_unload"`
}

// StatusFormat is the version of Status's JSON.
const StatusFormat = 1

// Status says how the running kernel and the files on disk stand to each other.
// It changes nothing and waits for nothing.
func (h *Host) Status() (*Status, error) {
	s := &Status{Format: StatusFormat, Elsewhere: h.Elsewhere(), OptedOut: h.OptedOut(), Updates: []UpdateStatus{}, Foreign: []string{}, Disabled: []DisabledModule{}}
	st, err := h.readState()
	if err != nil {
		return nil, err
	}
	if s.Elsewhere == "" {
		if s.Kernel, err = h.Release(); err != nil {
			return nil, err
		}
		if s.BuildID, err = h.BuildID(); err != nil {
			return nil, err
		}
		s.Unable = h.cannotLivepatch(s.Kernel)
		updates, err := h.Updates(s.BuildID)
		if err != nil {
			return nil, err
		}
		for _, u := range updates {
			s.Updates = append(s.Updates, h.updateStatus(st, u))
		}
	}
	if err := h.addOthers(s); err != nil {
		return nil, err
	}
	if s.Elsewhere == "" {
		if err = h.addLoaded(s, st); err == nil {
			s.Disabled, err = h.disabledModules(st)
		}
	}
	return s, err
}

// describe fills in what u's manifest says.
func describe(u *Update) UpdateStatus {
	s := UpdateStatus{ID: u.ID, BuildID: u.BuildID, Fixes: []string{}}
	if m := u.Manifest; m != nil {
		s.Release, s.Revision, s.Replace, s.Description = m.Release, m.Revision, m.Replace, m.Description
		s.Fixes = append(s.Fixes, m.Fixes...)
		s.MayUnload = m.Empty() || m.MayUnload()
	}
	return s
}

// updateStatus is the status of an update on disk for the running kernel: what
// the kernel shows counts first, then what the last run recorded.
func (h *Host) updateStatus(st *state, u *Update) UpdateStatus {
	s := describe(u)
	last, recorded := st.Outcomes[u.ID]
	l, err := h.livepatch(ModuleName(u.ID))
	switch {
	case err == nil && l.Transition:
		s.State, s.Why = Transition, h.transitionWhy(l)
	case err == nil && l.Enabled && u.Err == nil && h.loadedOther(u) != nil:
		s.State, s.Why = BlockedNow, h.loadedOther(u).Error()
	case err == nil && l.Enabled:
		s.State = Applied
		switch n := st.Failed[u.ID]; {
		case recorded && last.State == BlockedNow:
			s.Why = last.Why
		case n > 0:
			s.Why = failedWhy(n)
		}
	case u.Err != nil:
		s.State, s.Why = BlockedNow, u.Err.Error()
	case u.Manifest.Empty():
		s.State, s.Why = Applied, "it changes nothing"
	case recorded:
		s.State, s.Why = last.State, last.Why
	default:
		s.State, s.Why = Pending, "splicectl reconcile has not run since it was installed"
	}
	return s
}

// transitionWhy says which way a transition goes and who holds it up.
func (h *Host) transitionWhy(l Livepatch) string {
	why := "being undone"
	if l.Enabled {
		why = "being applied"
	}
	holders := h.Blockers(l)
	for i, b := range holders {
		if i == maxNamed {
			return why + fmt.Sprintf(" and %d more", len(holders)-i)
		}
		if i == 0 {
			why += "; held up by "
		} else {
			why += ", "
		}
		why += b.String()
	}
	return why
}

// addOthers adds what is on disk for other kernels than the running one.
func (h *Host) addOthers(s *Status) error {
	builds, err := h.otherBuilds(s.BuildID)
	if err != nil {
		return err
	}
	for _, b := range builds {
		updates, err := h.Updates(b)
		if err != nil {
			return err
		}
		for _, u := range updates {
			us := describe(u)
			us.State, us.Why = Pending, "it is for another kernel than the running one"
			switch {
			case u.Err != nil:
				us.State, us.Why = BlockedNow, u.Err.Error()
			case s.Elsewhere != "":
				us.Why = s.Elsewhere
			case u.Manifest.Release == s.Kernel:
				us.Why = "it is for another build of the running kernel's release"
			}
			s.Updates = append(s.Updates, us)
		}
	}
	return nil
}

// addLoaded adds the livepatches that are not on disk.
func (h *Host) addLoaded(s *Status, st *state) error {
	all, err := h.Livepatches()
	if err != nil {
		return err
	}
	boot, _ := h.bootID()
	onDisk, err := h.Updates(s.BuildID)
	if err != nil {
		return err
	}
	rebuilt, err := h.rebuilt(s.Kernel, s.BuildID)
	if err != nil {
		return err
	}
	for _, l := range all {
		id, ours := l.ID()
		if !ours {
			s.Foreign = append(s.Foreign, l.Module)
			continue
		}
		if slices.ContainsFunc(s.Updates, func(u UpdateStatus) bool { return u.ID == id && u.BuildID == s.BuildID }) {
			continue
		}
		us := UpdateStatus{ID: id, BuildID: s.BuildID, Release: s.Kernel, State: Applied, Fixes: []string{}}
		us.Why = "its files are gone; the next reconcile undoes it"
		if m := st.Loaded[id]; m.Boot == boot {
			us.MayUnload = m.Unload != nil && m.Unload.Allowed
		}
		switch next := rebuilt.successor(id, onDisk); {
		case st.isHeld(id, boot):
			us.Why = "applied by hand from a folder of the administrator's"
		case next != nil && !st.isRemoved(id, boot):
			us.Why = keptFor(next)
		}
		if l.Transition {
			us.State, us.Why = Transition, h.transitionWhy(l)
		}
		s.Updates = append(s.Updates, us)
	}
	return nil
}

// Uname returns the release of the running kernel and what is applied to it:
// "6.1.0-54-amd64+r2.0badcafe", the revision of the cumulative update and its
// ID; single updates follow by their IDs.
func (h *Host) Uname() (string, error) {
	s, err := h.Status()
	if err != nil {
		return "", err
	}
	if s.Kernel == "" {
		if s.Kernel, err = h.Release(); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	b.WriteString(s.Kernel)
	sep := "+"
	for _, u := range s.Updates {
		if u.State != Applied || u.BuildID != s.BuildID {
			continue
		}
		b.WriteString(sep)
		if u.Replace {
			fmt.Fprintf(&b, "r%d.", u.Revision)
		}
		b.WriteString(u.ID)
		sep = "."
	}
	return b.String(), nil
}

// Find returns the update id on disk, for the running kernel first, then for
// any other.
func (h *Host) Find(id string) (*Update, error) {
	if !idPattern.MatchString(id) {
		return nil, fmt.Errorf("update %q: expected eight hexadecimal digits: %w", id, ErrUnknownUpdate)
	}
	running, _ := h.BuildID()
	builds, err := h.otherBuilds("")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	slices.SortStableFunc(builds, func(a, b string) int {
		switch running {
		case a:
			return -1
		case b:
			return 1
		}
		return 0
	})
	for _, b := range builds {
		updates, err := h.Updates(b)
		if err != nil {
			return nil, err
		}
		for _, u := range updates {
			if u.ID == id {
				return u, u.Err
			}
		}
	}
	return nil, fmt.Errorf("update %q: %w", id, ErrUnknownUpdate)
}
