package cache

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// run is this process as a user of a cache. While it lives it holds the lock of a file in runs/, whose mtime is when it
// began; whatever it uses is stamped with a time that is not before that. So an entry that was last used before the oldest
// living run began is used by nobody.
type run struct {
	root   string
	name   string   // of the file
	file   *os.File // never closed: the lock ends with the process
	start  time.Time
	filled atomic.Bool // it has filled an entry
}

// runs are those of this process, by the cache's root.
var runs struct {
	mu  sync.Mutex
	all map[string]*run
}

const (
	runPrefix = "run-"
	newPrefix = ".new-" // of a file that is not locked yet
)

// enter makes this process a user of the cache, and forgets those that are dead.
func enter(root string) (*run, error) {
	runs.mu.Lock()
	defer runs.mu.Unlock()
	if r := runs.all[root]; r != nil {
		if _, err := os.Stat(r.name); err == nil { // unless the cache was deleted as a whole
			return r, nil
		}
	}
	dir := filepath.Join(root, "runs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	oldestRun(root)
	f, err := os.CreateTemp(dir, newPrefix)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, runPrefix+strings.TrimPrefix(filepath.Base(f.Name()), newPrefix))
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return nil, err
	}
	if runs.all == nil {
		runs.all = map[string]*run{}
	}
	r := &run{root: root, name: name, file: f, start: st.ModTime()}
	runs.all[root] = r
	return r, nil
}

// entered says whether this process is a user of the cache.
func entered(root string) bool {
	runs.mu.Lock()
	defer runs.mu.Unlock()
	return runs.all[root] != nil
}

// stamp says of an entry, whose lock is held, that this run uses it from now on.
func (r *run) stamp(e entry) error {
	now := time.Now()
	if now.Before(r.start) { // the clock was set back
		now = r.start
	}
	if err := os.Chtimes(e.lock, now, now); err != nil {
		return e.wrap(err)
	}
	return nil
}

// oldestRun is when the oldest living user of a cache began; now, if there is none. Files of dead ones are removed.
func oldestRun(root string) time.Time {
	oldest := time.Now()
	files, err := filepath.Glob(filepath.Join(root, "runs", runPrefix+"*"))
	if err != nil {
		return time.Time{}
	}
	for _, file := range files {
		st, err := os.Stat(file)
		if err != nil {
			continue // gone meanwhile
		}
		if unlock, err := tryLock(file, exclusive); err == nil {
			_ = os.Remove(file)
			unlock()
		} else if st.ModTime().Before(oldest) {
			oldest = st.ModTime()
		}
	}
	return oldest
}
