// Package cache keeps content-addressed folders: each is made once, appears whole or not at all, and is not written to
// afterwards. Any number of goroutines and processes may use one cache at the same time, and one may bound its size
// (Trim) while others use it. What was damaged since it was made is found when it is used, and made again.
//
// Layout below the root: <kind>/<key>/ is a whole folder. Beside it stand
//
//	<kind>/.<key>.lock      locked while somebody fills or removes it; its mtime is when it was last used
//	<kind>/.<key>.files     its manifest: the files of the folder, as they were when it was made
//	<kind>/.<key>.tmp-*     one that is being filled or removed, or that was left by a process that died
//
// runs/ has a locked file for each process that uses the cache, scratch/ what is being worked on, sha256/ hashes of files
// elsewhere. A death of the process at any point is covered. After a power loss, an entry whose data did not reach the disk
// is one that was damaged.
package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// Cache is an open cache folder.
type Cache struct {
	// Note gets a line when something was wrong with an entry; nil: nobody is told. To be set before the cache is used.
	Note func(format string, args ...any)

	root string
	run  *run

	mu    sync.Mutex
	fills map[string]chan struct{} // by kind/key: holds a token while a goroutine of this process checks or fills
	whole map[string]bool          // by kind/key: checked or filled by this Cache
	same  map[string]bool          // files that Unchanged has looked at
	sweep sync.Once

	hashes hashes
}

// Open opens or makes the cache in dir. An empty dir means $XDG_CACHE_HOME/livesplice, or ~/.cache/livesplice.
func Open(dir string) (*Cache, error) {
	dir, err := place(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cache folder %q: %w", dir, err)
	}
	// kbuild and the compilers bake paths into what they make: one folder must have one name.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("cache folder: %w", err)
	}
	run, err := enter(dir)
	if err != nil {
		return nil, fmt.Errorf("cache folder %q: %w", dir, err)
	}
	return &Cache{root: dir, run: run, fills: map[string]chan struct{}{}, whole: map[string]bool{}, same: map[string]bool{}, hashes: hashes{dir: filepath.Join(dir, "sha256")}}, nil
}

// Used is the cache in dir as Open gives it, if this process has opened it before; nil otherwise.
func Used(dir string) (*Cache, error) {
	path, err := place(dir)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, err
	}
	if !entered(path) {
		return nil, nil
	}
	return Open(dir)
}

// place is the absolute path of a cache folder.
func place(dir string) (string, error) {
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("cache folder: %w; set one of them, or name a folder with --cache", err)
		}
		dir = filepath.Join(base, "livesplice")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cache folder %q: %w", dir, err)
	}
	return dir, nil
}

// Root is the absolute path of the cache, free of symbolic links.
func (c *Cache) Root() string { return c.root }

var nameRE = regexp.MustCompile(`^[A-Za-z0-9_+@=-][A-Za-z0-9._+@=-]{0,127}$`)

// Dir is the folder kind/key. If there is none, or if it was damaged, fill makes its content in a folder beside, which then
// takes the name; the folder that fill gets is on the same file system and is removed when fill fails. Only one fill of a
// key runs at a time on this machine; the others wait for it, or for ctx. The folder is to be read only. Nobody removes it
// before this process ends, unless it is damaged.
//
// kind and key are at most 128 characters of letters, digits and ._+@=-, and do not begin with a dot.
func (c *Cache) Dir(ctx context.Context, kind, key string, fill func(ctx context.Context, dir string) error) (string, error) {
	e, err := c.entry(kind, key)
	if err != nil {
		return "", err
	}
	if c.known(e) {
		return e.dir, nil
	}
	// Goroutines queue here, so that at most one of each process polls the file lock.
	turn := c.turn(e.name)
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return "", e.wrap(context.Cause(ctx))
	}
	if c.known(e) {
		return e.dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(e.dir), 0o755); err != nil {
		return "", e.wrap(err)
	}
	if err := c.makeWhole(ctx, e, fill); err != nil {
		return "", err
	}
	c.know(e)
	return e.dir, nil
}

// makeWhole checks an entry, and fills it if there is none or it is damaged.
func (c *Cache) makeWhole(ctx context.Context, e entry, fill func(ctx context.Context, dir string) error) error {
	unlock, err := lockFile(ctx, e.lock, shared)
	if err != nil {
		return e.wrap(err)
	}
	if e.check() == nil {
		defer unlock()
		return c.run.stamp(e)
	}
	unlock()
	if unlock, err = lockFile(ctx, e.lock, exclusive); err != nil {
		return e.wrap(err)
	}
	defer unlock()
	err = e.check()
	if errors.Is(err, errNoManifest) { // it is not from fill: taken as it is, and watched from now on
		err = e.writeManifest(e.dir)
	}
	switch {
	case err == nil: // another process was faster
		return c.run.stamp(e)
	case !errors.Is(err, fs.ErrNotExist):
		c.note("%v; it is made again", e.wrap(err))
		if err := e.remove(); err != nil {
			return err
		}
	}
	if err := e.fill(ctx, fill); err != nil {
		return err
	}
	c.run.filled.Store(true)
	return c.run.stamp(e)
}

func (c *Cache) note(format string, args ...any) {
	if c.Note != nil {
		c.Note(format, args...)
	}
}

// know remembers that an entry was checked or filled.
func (c *Cache) know(e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole[e.name] = true
}

// known says whether this Cache has checked or filled an entry, and it is still there.
func (c *Cache) known(e entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole[e.name] && isDir(e.dir)
}

// Has says whether the folder kind/key is there and whole; one that is stays until this process ends. Of one that somebody
// fills or removes at the moment it says no.
func (c *Cache) Has(kind, key string) bool {
	e, err := c.entry(kind, key)
	if err != nil {
		return false
	}
	if c.known(e) {
		return true
	}
	if !isDir(e.dir) {
		return false
	}
	unlock, err := tryLock(e.lock, shared)
	if err != nil {
		return false
	}
	defer unlock()
	err = e.check()
	if errors.Is(err, errNoManifest) {
		return c.run.stamp(e) == nil
	}
	if err != nil || c.run.stamp(e) != nil {
		return false
	}
	c.know(e)
	return true
}

// Scratch makes an empty folder on the cache's file system for the caller to use and remove.
func (c *Cache) Scratch(name string) (string, error) {
	dir := filepath.Join(c.root, "scratch")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("scratch folder: %w", err)
	}
	c.sweep.Do(func() { removeOld(dir, scratchAge) })
	tmp, err := os.MkdirTemp(dir, name+"-")
	if err != nil {
		return "", fmt.Errorf("scratch folder: %w", err)
	}
	return tmp, nil
}

// ScratchNamed is Scratch with a name that the caller chooses, for work whose result would otherwise depend on the folder's
// name. What a process that died left there is removed; the caller sees to it that nobody else uses the name.
func (c *Cache) ScratchNamed(name string) (string, error) {
	dir := filepath.Join(c.root, "scratch", name)
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("scratch folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("scratch folder: %w", err)
	}
	return dir, nil
}

// scratchAge is how old a scratch folder is when whoever made it must be dead.
const scratchAge = 48 * time.Hour

// removeOld removes what has not changed for so long from a folder. What cannot be removed does no harm where it is.
func removeOld(dir string, age time.Duration) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > age {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

// turn is the place where the goroutines of this process queue for a key.
func (c *Cache) turn(name string) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.fills[name]
	if ch == nil {
		ch = make(chan struct{}, 1)
		c.fills[name] = ch
	}
	return ch
}

func isDir(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.IsDir()
}
