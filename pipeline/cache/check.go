package cache

import (
	"context"
	"errors"
	"io/fs"
)

// Check holds every entry against its manifest now, large ones too, and removes those that were damaged since they were
// made, even if somebody uses them: nobody should. It says what was wrong with each. What somebody fills or removes at the
// moment is waited for, until ctx ends.
func (c *Cache) Check(ctx context.Context) (checked int, damaged []error, err error) {
	all, err := c.stored()
	if err != nil {
		return 0, nil, err
	}
	for _, s := range all {
		wrong, err := s.removeDamaged(ctx)
		if err != nil {
			return checked, damaged, err
		}
		if checked++; wrong != nil {
			damaged = append(damaged, s.wrap(wrong))
		}
	}
	return checked, damaged, nil
}

// removeDamaged looks through an entry and removes it if something is wrong with it, and says what.
func (e entry) removeDamaged(ctx context.Context) (wrong, err error) {
	for _, how := range []int{shared, exclusive} {
		unlock, err := lockFile(ctx, e.lock, how)
		if err != nil {
			return nil, e.wrap(err)
		}
		wrong = e.compare()
		if wrong == nil || errors.Is(wrong, fs.ErrNotExist) || errors.Is(wrong, errNoManifest) {
			unlock()
			return nil, nil // whole, or gone meanwhile
		}
		if how == exclusive {
			err = e.remove()
		}
		unlock()
		if err != nil {
			return nil, err
		}
	}
	return wrong, nil
}
