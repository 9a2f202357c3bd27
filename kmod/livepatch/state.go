package livepatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// StateDir holds what splicectl remembers, below Host.Root.
const StateDir = "var/lib/livesplice"

const (
	stateFile   = StateDir + "/state.json"
	lockFile    = StateDir + "/lock"
	stateFormat = 1
	maxState    = 16 << 20
)

// state is what has to outlive a run: the administrator's wishes, which
// override the files on disk, and the crash guard. It holds no time, so that
// the building of an image gives the same bytes each time.
type state struct {
	Format int `json:"format"`
	// Undone are the updates that the administrator undid.
	Undone []undone `json:"undone,omitempty"`
	// Held are the updates that the administrator applied although reconcile
	// would not: it leaves them alone until the next boot.
	Held []held `json:"held,omitempty"`
	// Removed are the updates whose package was removed while the kernel did
	// not let go of them: they are undone as soon as it does.
	Removed []held `json:"removed,omitempty"`
	// Guard names what the boot loads, until that boot has proven healthy.
	Guard guard `json:"guard,omitzero"`
	// Failed counts, by ID, the boots in a row that loaded an update and did
	// not prove healthy.
	Failed map[string]int `json:"failed,omitempty"`
	// Outcomes say what became of updates that are not simply applied, by ID.
	Outcomes map[string]outcome `json:"outcomes,omitempty"`
	// Loaded says of the modules that this boot loaded what it takes to unload
	// them, by ID.
	Loaded map[string]loadedModule `json:"loaded,omitempty"`

	// unreadable says that the file on disk is another, which must not be lost.
	unreadable bool
}

func newState() *state {
	return &state{Format: stateFormat, Outcomes: make(map[string]outcome)}
}

type undone struct {
	ID      string `json:"id"`
	BuildID string `json:"build_id"`
	// Revision and Replace: no cumulative update of that or a lower revision
	// is applied by reconcile.
	Revision int  `json:"revision"`
	Replace  bool `json:"replace"`
}

// held names an update, in one boot.
type held struct {
	ID   string `json:"id"`
	Boot string `json:"boot"`
}

type guard struct {
	Boot string   `json:"boot"`
	IDs  []string `json:"ids"`
}

type outcome struct {
	State UpdateState `json:"state"`
	Why   string      `json:"why"`
	// RefusedIn is the boot whose kernel refused the module.
	RefusedIn string `json:"refused_in,omitempty"`
}

// undoneByHand says whether the administrator's undoing covers u.
func (s *state) undoneByHand(u *Update) bool {
	return slices.ContainsFunc(s.Undone, func(d undone) bool {
		return d.ID == u.ID ||
			d.Replace && u.Manifest.Replace && d.BuildID == u.BuildID && u.Manifest.Revision <= d.Revision
	})
}

// forgetUndone drops what stands in the way of applying u: its own undoing, and
// that of cumulative updates that are no longer on disk.
func (s *state) forgetUndone(u *Update, onDisk []*Update) {
	s.Undone = slices.DeleteFunc(s.Undone, func(d undone) bool {
		there := slices.ContainsFunc(onDisk, func(o *Update) bool { return o.ID == d.ID })
		return d.ID == u.ID || d.Replace && u.Manifest.Replace && d.BuildID == u.BuildID && !there
	})
}

func (s *state) isHeld(id, boot string) bool {
	return slices.Contains(s.Held, held{ID: id, Boot: boot})
}

func (s *state) isRemoved(id, boot string) bool {
	return slices.Contains(s.Removed, held{ID: id, Boot: boot})
}

// forgetRemoved drops that the package of id was removed: its files are there.
func (s *state) forgetRemoved(id string) {
	s.Removed = slices.DeleteFunc(s.Removed, func(h held) bool { return h.ID == id })
}

func (s *state) release(id string) {
	s.Held = slices.DeleteFunc(s.Held, func(h held) bool { return h.ID == id })
}

// disarm takes id out of the crash guard: it is not what this boot runs with, or
// the administrator knows.
func (s *state) disarm(id string) {
	s.Guard.IDs = slices.DeleteFunc(s.Guard.IDs, func(x string) bool { return x == id })
}

// absolve drops what the crash guard holds against id.
func (s *state) absolve(id string) {
	delete(s.Failed, id)
	s.disarm(id)
}

func (s *state) record(id string, st UpdateState, why string) {
	s.Outcomes[id] = outcome{State: st, Why: why}
}

// readState returns the state on disk; a new one where there is none.
func (h *Host) readState() (*state, error) {
	data, err := h.readTrusted(stateFile, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return newState(), nil
	}
	if err != nil {
		return nil, err
	}
	// The format first: of a later one, nothing else need be as it is here.
	var head struct {
		Format int `json:"format"`
	}
	s := new(state)
	if err = json.Unmarshal(data, &head); err == nil {
		if head.Format != stateFormat {
			return nil, fmt.Errorf("file %q: format %d, this program reads format %d", h.path(stateFile), head.Format, stateFormat)
		}
		err = json.Unmarshal(data, s)
	}
	if err != nil {
		return nil, fmt.Errorf("file %q: expected the JSON that splicectl writes; remove it to forget what was undone by hand: %w", h.path(stateFile), err)
	}
	if s.Outcomes == nil {
		s.Outcomes = make(map[string]outcome)
	}
	return s, nil
}

// writeState replaces the state on disk whole, and returns when it is on the
// disk itself: the crash guard must survive a crash. It leaves alone a file that
// could not be read.
func (h *Host) writeState(s *state) error {
	if s.unreadable {
		return nil
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if old, err := os.ReadFile(h.path(stateFile)); err == nil && bytes.Equal(old, data) {
		return nil
	}
	f, err := os.CreateTemp(h.path(StateDir), ".state-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("file %q: %w", f.Name(), err)
	}
	if err := os.Rename(f.Name(), h.path(stateFile)); err != nil {
		return err
	}
	dir, err := os.Open(h.path(StateDir))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// lock makes this process the only one that changes anything, and returns the
// function that ends this. It waits for another process as long as for two
// transitions.
func (h *Host) lock(ctx context.Context) (func(), error) {
	if err := os.MkdirAll(h.path(path.Dir(StateDir)), 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(h.path(StateDir), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, err := h.openTrusted(StateDir, true)
	if err != nil {
		return nil, err
	}
	dir.Close()
	f, err := os.OpenFile(h.path(lockFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for waited := time.Duration(0); ; waited += pollInterval {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("file %q: flock: %w", f.Name(), err)
		}
		if waited >= 2*h.Timeout {
			f.Close()
			return nil, fmt.Errorf("file %q: another splicectl has held it for %v", f.Name(), waited)
		}
		if err := h.Kernel.Sleep(ctx, pollInterval); err != nil {
			f.Close()
			return nil, err
		}
	}
}
