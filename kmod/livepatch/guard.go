package livepatch

import (
	"context"
	"fmt"
)

// maxFailedBoots is how many boots in a row may fail with an update before it is
// left out. One alone is as likely a power cut, which must not take a fix away.
const maxFailedBoots = 2

// judgeGuard counts an earlier boot that did not prove healthy against the
// updates that it loaded.
func (r *run) judgeGuard() {
	if r.st.Guard.Boot == "" || r.st.Guard.Boot == r.boot {
		return
	}
	for _, id := range r.st.Guard.IDs {
		if r.st.Failed == nil {
			r.st.Failed = make(map[string]int)
		}
		r.st.Failed[id]++
		if n := r.st.Failed[id]; n < maxFailedBoots {
			r.tell("guard: %s: %s", id, failedWhy(n))
		}
	}
	r.st.Guard = guard{}
}

// failedWhy tells of n failed boots with an update, fewer than maxFailedBoots.
func failedWhy(n int) string {
	return fmt.Sprintf("boots in a row that loaded it and did not stay up: %d; after %d it is left out until splicectl apply", n, maxFailedBoots)
}

// arm writes down what this boot is about to load, before it does.
func (r *run) arm(cumulative choice, singles []*Update) error {
	g := guard{Boot: r.boot}
	for _, u := range append([]*Update{cumulative.u}, singles...) {
		if u != nil && !u.Manifest.Empty() {
			g.IDs = append(g.IDs, u.ID)
		}
	}
	if len(g.IDs) == 0 {
		g = guard{}
	}
	r.st.Guard = g
	return r.writeState(r.st)
}

// Healthy clears the crash guard that this boot armed: the machine has been up
// for some minutes with its updates, or is being shut down in an orderly way.
func (h *Host) Healthy(ctx context.Context) error {
	unlock, err := h.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	st, err := h.readState()
	if err != nil {
		return err
	}
	boot, err := h.bootID()
	if err != nil {
		return err
	}
	if st.Guard.Boot != boot {
		h.say("guard: this boot has armed none")
		return nil
	}
	h.tell("guard: cleared, this boot is healthy with %d updates", len(st.Guard.IDs))
	for _, id := range st.Guard.IDs {
		delete(st.Failed, id)
	}
	st.Guard = guard{}
	return h.writeState(st)
}
