package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// hashes remembers the sha256 of files by their identity, one small file each, so that concurrent runs need no lock.
type hashes struct{ dir string }

var sha256RE = regexp.MustCompile(`^[0-9a-f]{64}$`)

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
		if sum := strings.TrimSpace(string(b)); sha256RE.MatchString(sum) {
			return sum, nil
		}
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	after, _, err := identity(f)
	if err != nil {
		return "", err
	}
	if after != id {
		return "", fmt.Errorf("file %q: changed while it was read", path)
	}
	if time.Since(changed) > settled {
		return sum, c.hashes.remember(memo, sum)
	}
	return sum, nil
}

// remember writes the memo in one step; a reader sees all of it or nothing.
func (h hashes) remember(memo, sum string) error {
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(h.dir, ".memo-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.WriteString(sum + "\n"); err != nil {
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
