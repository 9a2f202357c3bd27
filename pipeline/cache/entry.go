package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// entry is the place of one folder of the cache.
type entry struct {
	name     string // kind/key
	dir      string
	lock     string
	manifest string
	tmp      string // the beginning of the names of temporary folders
}

// What the names of the files beside an entry's folder have in them.
const (
	lockMark     = ".lock"
	manifestMark = ".files"
	tmpMark      = ".tmp-"
)

func (c *Cache) entry(kind, key string) (entry, error) {
	if !nameRE.MatchString(kind) || !nameRE.MatchString(key) {
		return entry{}, fmt.Errorf("cache entry %q/%q: not a usable name", kind, key)
	}
	beside := filepath.Join(c.root, kind, "."+key)
	return entry{name: kind + "/" + key, dir: filepath.Join(c.root, kind, key), lock: beside + lockMark, manifest: beside + manifestMark, tmp: beside + tmpMark}, nil
}

// beside is the entry that a manifest or a temporary folder belongs to.
func (c *Cache) beside(file string) (entry, error) {
	key := strings.TrimPrefix(filepath.Base(file), ".")
	if at := strings.LastIndex(key, tmpMark); at >= 0 {
		key = key[:at]
	}
	return c.entry(filepath.Base(filepath.Dir(file)), strings.TrimSuffix(key, manifestMark))
}

func (e entry) wrap(err error) error { return fmt.Errorf("cache entry %q: %w", e.dir, err) }

// fill makes an entry that is not there. Its lock must be held exclusively, as for remove and sweep.
func (e entry) fill(ctx context.Context, fill func(ctx context.Context, dir string) error) (err error) {
	if err := e.sweep(); err != nil {
		return err
	}
	tmp, err := e.temporary()
	if err != nil {
		return err
	}
	defer func() {
		if rerr := os.RemoveAll(tmp); rerr != nil && err == nil {
			err = e.wrap(rerr)
		}
	}()
	if err := fill(ctx, tmp); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return e.wrap(err)
	}
	if err := e.writeManifest(tmp); err != nil {
		return e.wrap(err)
	}
	if err := os.Rename(tmp, e.dir); err != nil {
		return e.wrap(err)
	}
	return nil
}

// remove takes an entry away: first its name, in one step.
func (e entry) remove() error {
	tmp, err := e.temporary()
	if err != nil {
		return err
	}
	if err := errors.Join(os.Remove(tmp), os.Rename(e.dir, tmp)); err != nil {
		return e.wrap(err)
	}
	if err := os.Remove(e.manifest); err != nil && !os.IsNotExist(err) {
		return e.wrap(err)
	}
	return e.sweep()
}

// sweep removes temporary folders that nobody works in: whoever holds the lock is the only one who could.
func (e entry) sweep() error {
	stale, err := filepath.Glob(e.tmp + "*")
	if err != nil {
		return e.wrap(err)
	}
	for _, dir := range stale {
		if err := os.RemoveAll(dir); err != nil {
			return e.wrap(err)
		}
	}
	return nil
}

func (e entry) temporary() (string, error) {
	tmp, err := os.MkdirTemp(filepath.Dir(e.tmp), filepath.Base(e.tmp))
	if err != nil {
		return "", e.wrap(err)
	}
	return tmp, nil
}
