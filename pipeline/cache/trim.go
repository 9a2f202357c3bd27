package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// memoAge is how long the hash of a file is remembered.
const memoAge = 90 * 24 * time.Hour

// Trimmed is what Trim did.
type Trimmed struct {
	Before, After int64 // bytes
	Removed       int   // entries
}

// Trim removes the entries that were used longest ago until no more than limit bytes are left, counted by the sizes of
// files in blocks. None that a living process uses is removed, this one among them, so more than that may be left; nor is what others
// keep below the cache's folder, such as downloads. One Trim runs at a time; another one has nothing to do. It also removes
// what processes that died have left.
func (c *Cache) Trim(ctx context.Context, limit int64) (Trimmed, error) {
	var t Trimmed
	unlock, err := tryLock(filepath.Join(c.root, ".trim.lock"), exclusive)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	defer unlock()
	all, err := c.stored()
	if err != nil {
		return t, err
	}
	for _, s := range all {
		t.Before += s.size
	}
	t.After = t.Before
	c.leftovers()
	slices.SortStableFunc(all, func(a, b stored) int { return a.used.Compare(b.used) })
	inUse := oldestRun(c.root)
	for _, s := range all {
		if t.After <= limit || !s.used.Before(inUse) {
			break
		}
		if ctx.Err() != nil {
			return t, context.Cause(ctx)
		}
		removed, err := s.removeUnused()
		if err != nil {
			return t, err
		}
		if removed {
			t.After, t.Removed = t.After-s.size, t.Removed+1
		}
	}
	return t, nil
}

// Filled says whether this process has filled an entry of the cache.
func (c *Cache) Filled() bool { return c.run.filled.Load() }

// stored is an entry that is there.
type stored struct {
	entry
	size int64
	used time.Time
}

// stored lists the entries, in the order of their names.
func (c *Cache) stored() ([]stored, error) {
	manifests, err := filepath.Glob(filepath.Join(c.root, "*", ".*"+manifestMark))
	if err != nil {
		return nil, err
	}
	var all []stored
	for _, m := range manifests {
		e, err := c.beside(m)
		if err != nil || !isDir(e.dir) {
			continue
		}
		if used, ok := lastUsed(e); ok {
			_, size := readHead(m)
			all = append(all, stored{entry: e, size: size, used: used})
		}
	}
	return all, nil
}

func lastUsed(e entry) (time.Time, bool) {
	st, err := os.Stat(e.lock)
	if err != nil {
		return time.Time{}, false
	}
	return st.ModTime(), true
}

// removeUnused removes an entry unless somebody uses it now or has used it since it was listed.
func (s stored) removeUnused() (bool, error) {
	unlock, err := tryLock(s.lock, exclusive)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unlock()
	if used, ok := lastUsed(s.entry); !ok || !used.Equal(s.used) || !isDir(s.dir) {
		return false, nil
	}
	return true, s.remove()
}

// leftovers removes what is of no use any more: folders of processes that died, manifests without an entry, old memos. What
// cannot be removed does no harm where it is.
func (c *Cache) leftovers() {
	temporary, _ := filepath.Glob(filepath.Join(c.root, "*", ".*"+tmpMark+"*"))
	manifests, _ := filepath.Glob(filepath.Join(c.root, "*", ".*"+manifestMark))
	for _, file := range append(temporary, manifests...) {
		e, err := c.beside(file)
		if err != nil || file == e.manifest && isDir(e.dir) {
			continue
		}
		unlock, err := tryLock(e.lock, exclusive)
		if err != nil {
			continue
		}
		_ = e.sweep()
		if !isDir(e.dir) {
			_ = os.Remove(e.manifest)
		}
		unlock()
	}
	removeOld(filepath.Join(c.root, "scratch"), scratchAge)
	removeOld(c.hashes.dir, memoAge)
}

// Usage is what one kind of entries takes.
type Usage struct {
	Kind    string    `json:"kind"`
	Entries int       `json:"entries"`
	Bytes   int64     `json:"bytes"` // sizes of files, in blocks
	Used    time.Time `json:"last_used"`
}

// Usage is what the entries of each kind take, in the order of the kinds.
func (c *Cache) Usage() ([]Usage, error) {
	all, err := c.stored()
	if err != nil {
		return nil, err
	}
	var kinds []Usage
	for _, s := range all {
		kind := filepath.Base(filepath.Dir(s.dir))
		if n := len(kinds); n == 0 || kinds[n-1].Kind != kind {
			kinds = append(kinds, Usage{Kind: kind})
		}
		k := &kinds[len(kinds)-1]
		k.Entries, k.Bytes = k.Entries+1, k.Bytes+s.size
		if s.used.After(k.Used) {
			k.Used = s.used
		}
	}
	return kinds, nil
}
