// Package cache keeps content-addressed folders: each is made once, appears whole or not at all, and is not written to
// afterwards. Any number of goroutines and processes may use one cache at the same time.
//
// Layout below the root: <kind>/<key>/ is a whole folder; <kind>/.<key>.lock is locked while somebody fills it;
// <kind>/.<key>.tmp-* is one that is being filled, or that was left by a filler that died: the next one removes it.
// A death of the process at any point is covered; a power loss is not, as nothing is synced.
package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// Cache is an open cache folder.
type Cache struct {
	root string

	mu    sync.Mutex
	fills map[string]chan struct{} // by kind/key: holds a token while a goroutine of this process fills
	sweep sync.Once

	hashes hashes
}

// Open opens or makes the cache in dir. An empty dir means $XDG_CACHE_HOME/livesplice, or ~/.cache/livesplice.
func Open(dir string) (*Cache, error) {
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("cache folder: %w; set one of them, or name a folder with --cache", err)
		}
		dir = filepath.Join(base, "livesplice")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cache folder %q: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cache folder %q: %w", dir, err)
	}
	// kbuild and the compilers bake paths into what they make: one folder must have one name.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("cache folder: %w", err)
	}
	return &Cache{root: dir, fills: map[string]chan struct{}{}, hashes: hashes{dir: filepath.Join(dir, "sha256")}}, nil
}

// Root is the absolute path of the cache, free of symbolic links.
func (c *Cache) Root() string { return c.root }

var nameRE = regexp.MustCompile(`^[A-Za-z0-9_+@=-][A-Za-z0-9._+@=-]{0,127}$`)

// Dir is the folder kind/key. If there is none, fill makes its content in a folder beside, which then takes the name;
// the folder that fill gets is on the same file system and is removed when fill fails. Only one fill of a key runs at a
// time on this machine; the others wait for it, or for ctx. The folder is to be read only.
//
// kind and key are at most 128 characters of letters, digits and ._+@=-, and do not begin with a dot.
func (c *Cache) Dir(ctx context.Context, kind, key string, fill func(ctx context.Context, dir string) error) (string, error) {
	if !nameRE.MatchString(kind) || !nameRE.MatchString(key) {
		return "", fmt.Errorf("cache entry %q/%q: not a usable name", kind, key)
	}
	final := filepath.Join(c.root, kind, key)
	if isDir(final) {
		return final, nil
	}
	// Goroutines queue here, so that at most one of each process polls the file lock.
	turn := c.turn(kind + "/" + key)
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return "", fmt.Errorf("cache entry %q: %w", final, context.Cause(ctx))
	}
	if isDir(final) {
		return final, nil
	}
	parent := filepath.Dir(final)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("cache entry %q: %w", final, err)
	}
	unlock, err := lockFile(ctx, filepath.Join(parent, "."+key+".lock"))
	if err != nil {
		return "", fmt.Errorf("cache entry %q: %w", final, err)
	}
	defer unlock()
	if isDir(final) { // another process was faster
		return final, nil
	}
	if err := c.fillDir(ctx, parent, key, final, fill); err != nil {
		return "", err
	}
	return final, nil
}

func (c *Cache) fillDir(ctx context.Context, parent, key, final string, fill func(ctx context.Context, dir string) error) (err error) {
	stale, err := filepath.Glob(filepath.Join(parent, "."+key+".tmp-*"))
	if err != nil {
		return fmt.Errorf("cache entry %q: %w", final, err)
	}
	for _, dir := range stale { // we hold the lock, so whoever made it is dead
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("cache entry %q: %w", final, err)
		}
	}
	tmp, err := os.MkdirTemp(parent, "."+key+".tmp-")
	if err != nil {
		return fmt.Errorf("cache entry %q: %w", final, err)
	}
	defer func() {
		if rerr := os.RemoveAll(tmp); rerr != nil && err == nil {
			err = fmt.Errorf("cache entry %q: %w", final, rerr)
		}
	}()
	if err := fill(ctx, tmp); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return fmt.Errorf("cache entry %q: %w", final, err)
	}
	if err := os.Rename(tmp, final); err != nil {
		return fmt.Errorf("cache entry %q: %w", final, err)
	}
	return nil
}

// Has says whether the folder kind/key is there and whole.
func (c *Cache) Has(kind, key string) bool {
	return nameRE.MatchString(kind) && nameRE.MatchString(key) && isDir(filepath.Join(c.root, kind, key))
}

// Scratch makes an empty folder on the cache's file system for the caller to use and remove.
func (c *Cache) Scratch(name string) (string, error) {
	dir := filepath.Join(c.root, "scratch")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("scratch folder: %w", err)
	}
	c.sweep.Do(func() { removeOld(dir) })
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

// removeOld removes what killed processes left. What cannot be removed does no harm where it is.
func removeOld(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > scratchAge {
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

// lockFile takes the exclusive lock of path, waiting until ctx ends. The file stays: removing it would let two
// processes hold locks of two files of the same name. The kernel drops the lock when its holder dies; the descriptor is
// closed on exec, so a program that the holder started does not keep it.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock %q: %w", path, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

func isDir(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.IsDir()
}
