package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A manifest lists what is in an entry's folder, in the order of the names, one line each:
//
//	livesplice cache entry 1, 3 names, 339968 bytes
//	file 644 326080 5e88...a1 "fs/fcntl.o"
//	link "../obj" "obj"
//	dir "fs"
//
// mode, size in bytes and sha256 of a file; in an entry of more than hashedSize, its mtime in seconds takes the place of the
// hash: "@1763722272". Of a cache that a CI system keeps in an archive, whose times have no fractions, nothing counts as
// damaged. It is made once more from the folder as it is now, and must be the same.

// manifestHead is the first line: how many lines follow, and the entry's size as Trim counts it.
const manifestHead = "livesplice cache entry 1, %d names, %d bytes\n"

// hashedSize is the size in bytes up to which the content of an entry's files is hashed when it is used. That is every
// object and record. Sources, build folders and images are larger: of these names, sizes, modes and times are compared.
const hashedSize = 16 << 20

// An entry of more names than manyNames, such as the source of a kernel with its 95,000, takes seconds to look through. That
// is done when it was not done for checkAge, or not since the machine was started, of which the manifest's mtime tells.
// Unchanged looks at single files of it in between.
const (
	manyNames = 1000
	checkAge  = 24 * time.Hour
)

// blockSize is what a file takes at least on most file systems.
const blockSize = 4096

var errNoManifest = errors.New("it has no manifest")

// booted is when the machine was started, to a second.
var booted = sync.OnceValue(func() time.Time {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return time.Now()
	}
	return time.Now().Add(-time.Duration(info.Uptime) * time.Second)
})

// recent says whether a check at one time still holds now. A start of the machine may follow a loss of power.
func recent(checked, now, boot time.Time) bool {
	return !checked.After(now) && checked.After(boot) && now.Sub(checked) < checkAge
}

// check holds an entry against its manifest, a large one only if that was not done lately. Errors: fs.ErrNotExist if there
// is no folder, errNoManifest; any other one says what is wrong with it.
func (e entry) check() error {
	if names, _ := readHead(e.manifest); names > manyNames && isDir(e.dir) {
		if st, err := os.Stat(e.manifest); err == nil && recent(st.ModTime(), time.Now(), booted()) {
			return nil
		}
	}
	return e.compare()
}

// compare holds an entry against its manifest, and notes when. Errors are those of check.
func (e entry) compare() error {
	if !isDir(e.dir) {
		return fs.ErrNotExist
	}
	want, err := os.ReadFile(e.manifest)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoManifest
	}
	if err != nil {
		return err
	}
	got, err := describe(e.dir)
	if err != nil {
		return fmt.Errorf("damaged: %w", noPath(err))
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("damaged: %s", difference(want, got))
	}
	now := time.Now()
	return os.Chtimes(e.manifest, now, now)
}

// noPath is an error of a file that is there no more by the time it is looked at, of which errors.Is must not say that the
// entry is not there.
func noPath(err error) error { return errors.New(err.Error()) }

// writeManifest writes the manifest of a folder that is to become the entry.
func (e entry) writeManifest(dir string) error {
	text, err := describe(dir)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(e.tmp), filepath.Base(e.tmp))
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), e.manifest)
}

// described is one line of a manifest to be.
type described struct {
	path string // relative to the folder
	kind fs.FileMode
	info fs.FileInfo // of a regular file
	to   string      // of a link
}

// describe makes the manifest of a folder.
func describe(dir string) ([]byte, error) {
	var (
		all     []described
		content int64 // bytes in files
		size    int64 // on disk
	)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		one := described{path: path[len(dir)+1:], kind: d.Type()}
		size += blockSize
		switch one.kind {
		case fs.ModeSymlink:
			one.to, err = os.Readlink(path)
		case 0:
			if one.info, err = d.Info(); err == nil {
				content += one.info.Size()
				size += (one.info.Size() + blockSize - 1) / blockSize * blockSize
			}
		}
		all = append(all, one)
		return err
	})
	if err != nil {
		return nil, err
	}
	text := fmt.Appendf(nil, manifestHead, len(all), size)
	for _, one := range all {
		switch {
		case one.info != nil:
			line, err := lineOf(filepath.Join(dir, one.path), one.path, one.info, content <= hashedSize)
			if err != nil {
				return nil, err
			}
			text = append(append(text, line...), '\n')
		case one.kind == fs.ModeSymlink:
			text = fmt.Appendf(text, "link %q %q\n", one.to, one.path)
		case one.kind.IsDir():
			text = fmt.Appendf(text, "dir %q\n", one.path)
		default:
			text = fmt.Appendf(text, "other %v %q\n", one.kind, one.path)
		}
	}
	return text, nil
}

// lineOf is the line of a regular file, without its end: hashed, or with the file's time.
func lineOf(path, name string, info fs.FileInfo, hashed bool) (string, error) {
	sum := "@" + strconv.FormatInt(info.ModTime().Unix(), 10)
	if hashed {
		var err error
		if sum, err = hashNamed(path); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("file %o %d %s %q", info.Mode().Perm(), info.Size(), sum, name), nil
}

func hashNamed(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return hashOf(f)
}

// difference names the first thing that differs between two manifests.
func difference(want, got []byte) string {
	was, is := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := 1; i < len(was) && i < len(is); i++ {
		if was[i] != is[i] {
			return fmt.Sprintf("was %s, is %s", orNothing(was[i]), orNothing(is[i]))
		}
	}
	switch {
	case len(is) > len(was):
		return "new: " + is[len(was)-1]
	case len(was) > len(is):
		return "missing: " + was[len(is)-1]
	}
	return "the manifest"
}

func orNothing(line string) string {
	if line == "" {
		return "nothing"
	}
	return line
}

// readHead reads how many names an entry has, and its size, from its manifest; zeros if that cannot be told.
func readHead(manifest string) (names int, size int64) {
	f, err := os.Open(manifest)
	if err != nil {
		return 0, 0
	}
	defer f.Close()
	head := make([]byte, 96)
	n, _ := io.ReadFull(f, head)
	if _, err := fmt.Sscanf(string(head[:n]), manifestHead, &names, &size); err != nil || names < 0 || size < 0 {
		return 0, 0
	}
	return names, size
}
