package rebuild

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
)

// overlays are those of one tree that no compiler runs on. A header that a patch touches has hundreds of units, and an overlay of
// it thousands of links: each compiler takes over what the one before it has left.
type overlays struct {
	mu     sync.Mutex
	free   []*overlay
	closed bool
}

// overlaid runs a compiler on an overlay of the source, again if it read files past the overlay. name is the one that the
// overlay's folder gets for so long, "" for any: the caller sees to it that nobody else uses it. own are folders that are to be
// real from the beginning; run returns the files that were read.
func (t *Tree) overlaid(name string, files map[string][]byte, own []string, run func(ov *overlay) ([]string, error)) (err error) {
	ov, err := t.takeOverlay(name, files)
	if err != nil {
		return err
	}
	whole := true
	defer func() { err = errors.Join(err, t.leaveOverlay(ov, name, whole)) }()
	for dirs := own; ; {
		for _, dir := range dirs {
			if err := ov.makeReal(dir); err != nil {
				whole = false
				return err
			}
		}
		deps, err := run(ov)
		if err != nil {
			return err
		}
		// Each round makes at least one more folder real, so this ends.
		if dirs, err = ov.stale(deps); err != nil || len(dirs) == 0 {
			return err
		}
	}
}

// takeOverlay makes an overlay, or changes one that is free.
func (t *Tree) takeOverlay(name string, files map[string][]byte) (ov *overlay, err error) {
	t.overlays.mu.Lock()
	if n := len(t.overlays.free); n > 0 {
		ov, t.overlays.free = t.overlays.free[n-1], t.overlays.free[:n-1]
	}
	t.overlays.mu.Unlock()
	if ov == nil {
		scratch, err := t.overlayFolder(name)
		if err != nil {
			return nil, err
		}
		if ov, err = newOverlay(t.Source, filepath.Join(scratch, "src"), files); err != nil {
			return nil, errors.Join(err, os.RemoveAll(scratch))
		}
		return ov, nil
	}
	if name != "" {
		err = t.moveOverlay(ov, name)
	}
	if err == nil {
		err = ov.change(files)
	}
	if err != nil {
		return nil, errors.Join(err, ov.remove())
	}
	return ov, nil
}

// leaveOverlay lets others have an overlay, if it is whole.
func (t *Tree) leaveOverlay(ov *overlay, name string, whole bool) error {
	if !whole || !ov.lasting() {
		return ov.remove()
	}
	if name != "" { // which is the caller's no longer
		if err := t.moveOverlay(ov, ""); err != nil {
			return errors.Join(err, ov.remove())
		}
	}
	t.overlays.mu.Lock()
	defer t.overlays.mu.Unlock()
	if t.overlays.closed {
		return ov.remove()
	}
	t.overlays.free = append(t.overlays.free, ov)
	return nil
}

func (t *Tree) overlayFolder(name string) (string, error) {
	if name == "" {
		return t.cache.Scratch("overlay")
	}
	return t.cache.ScratchNamed(name)
}

// moveOverlay gives an overlay's folder another name. Its links are absolute.
func (t *Tree) moveOverlay(ov *overlay, name string) error {
	scratch, err := t.overlayFolder(name)
	if err != nil {
		return err
	}
	before, dir := filepath.Dir(ov.dir), filepath.Join(scratch, "src")
	if err := os.Rename(ov.dir, dir); err != nil {
		return errors.Join(err, os.RemoveAll(scratch))
	}
	ov.dir = dir
	return os.Remove(before)
}

// remove removes an overlay with the scratch folder that it is in.
func (o *overlay) remove() error { return os.RemoveAll(filepath.Dir(o.dir)) }

// Close removes what is left of the compilers' work. A tree that is not closed leaves that to a later run, days after.
func (t *Tree) Close() error {
	t.overlays.mu.Lock()
	defer t.overlays.mu.Unlock()
	t.overlays.closed = true
	var errs []error
	for _, ov := range t.overlays.free {
		errs = append(errs, ov.remove())
	}
	t.overlays.free = nil
	return errors.Join(errs...)
}
