package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// The two ways to hold a lock: any number of readers, or one alone.
const (
	shared    = syscall.LOCK_SH
	exclusive = syscall.LOCK_EX
)

// lockFile takes the lock of path, waiting until ctx ends. The file stays: removing it would let two processes hold locks
// of two files of the same name. The kernel drops the lock when its holder dies; the descriptor is closed on exec, so a
// program that the holder started does not keep it.
func lockFile(ctx context.Context, path string, how int) (unlock func(), err error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		unlock, err := tryLock(path, how)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %q: %w", path, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// tryLock takes the lock of path if nobody holds it in the other way; EWOULDBLOCK if somebody does.
func tryLock(path string, how int) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	return func() { f.Close() }, nil
}
