package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// hashes remembers the sha256 of files by their identity, one small file each, so that concurrent runs need no lock.
type hashes struct{ dir string }

// settled is how old a file's last change must be before its hash is remembered: a younger file could still change
// within the resolution of its timestamps.
const settled = 2 * time.Second

// HashFile is the sha256 of a file's content in hex. It is remembered by device, inode, size, mtime and ctime, all of
// which a change of the content would have to leave as they are: ctime cannot be set by a program.
func (c *Cache) HashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	id, changed, err := identity(f)
	if err != nil {
		return "", err
	}
	memo := filepath.Join(c.hashes.dir, id)
	if b, err := os.ReadFile(memo); err == nil {
		if sum, _, _ := strings.Cut(string(b), " "); string(b) == memoText(id, sum) {
			return sum, nil
		}
	}
	sum, err := hashOf(f)
	if err != nil {
		return "", err
	}
	after, _, err := identity(f)
	if err != nil {
		return "", err
	}
	if after != id {
		return "", fmt.Errorf("file %q: changed while it was read", path)
	}
	if time.Since(changed) > settled {
		return sum, c.hashes.remember(memo, memoText(id, sum))
	}
	return sum, nil
}

// hashOf is the sha256 of what a file holds, in hex.
func hashOf(f *os.File) (string, error) {
	h := sha256.New()
	// io.Copy would read 32 KB at a time, which costs more than the hash on machines with slow system calls.
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// memoText is what a memo says: the sum, and one over it and what it is of, so that a damaged memo is none.
func memoText(id, sum string) string {
	return fmt.Sprintf("%s %x\n", sum, sha256.Sum256([]byte(id+" "+sum)))
}

// remember writes the memo in one step; a reader sees all of it or nothing.
func (h hashes) remember(memo, text string) error {
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(h.dir, ".memo-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.WriteString(text); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), memo)
}

// identity names the content of an open file as it is now, and when it last changed.
func identity(f *os.File) (string, time.Time, error) {
	st, err := f.Stat()
	if err != nil {
		return "", time.Time{}, err
	}
	if !st.Mode().IsRegular() {
		return "", time.Time{}, fmt.Errorf("file %q: not a regular file", f.Name())
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return "", time.Time{}, fmt.Errorf("file %q: no inode number", f.Name())
	}
	id := fmt.Sprintf("%x-%x-%x-%x.%x-%x.%x", sys.Dev, sys.Ino, sys.Size,
		sys.Mtim.Sec, sys.Mtim.Nsec, sys.Ctim.Sec, sys.Ctim.Nsec)
	return id, time.Unix(sys.Ctim.Sec, sys.Ctim.Nsec), nil
}
