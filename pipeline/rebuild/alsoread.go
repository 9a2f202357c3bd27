package rebuild

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/pkgfmt"
)

// What a patched unit includes anew is not among the files of which kbuild wrote that the unit was made from them, so the key of
// post does not name its content. The object's cache folder lists these files, a line each, as they were when it was compiled:
//
//	2049 1311 4096 1763722272000000000 1763722272.0 /linux/include/linux/wait_bit.h
//
// What is found there is held against the list. If a file has changed, the object of that content has a key of its own.

// alsoReadName is the list's file.
const alsoReadName = "also-read"

// keepRead lists what an object was made from besides what its key names. Of these files, too, none may be younger than the
// build: a *pkgfmt.MismatchError.
func (r *record) keepRead(files map[string][]byte, deps []string, dir string) error {
	b := r.build
	if b == nil {
		return nil
	}
	made, err := os.Stat(r.built)
	if err != nil {
		return err
	}
	var lines []string
	for _, file := range deps {
		_, patched := files[inSource(file, b.Object, b.Source)]
		if patched || r.known[file] {
			continue
		}
		stat, err := b.stat(file)
		if err != nil {
			return &pkgfmt.InputError{Path: file, Want: "a file that " + r.Object + " was compiled from", Err: err}
		}
		if err := b.checkAge(r, file, stat, made.ModTime()); err != nil {
			return err
		}
		lines = append(lines, stat.id+" "+file+"\n")
	}
	if len(lines) == 0 {
		return nil
	}
	slices.Sort(lines)
	return os.WriteFile(filepath.Join(dir, alsoReadName), []byte(strings.Join(slices.Compact(lines), "")), 0o644)
}

// sameRead holds the list of an object's folder against the files as they are; now is what the list would be.
func (r *record) sameRead(dir string) (now string, same bool, err error) {
	list := filepath.Join(dir, alsoReadName)
	text, err := os.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) {
		return "", true, nil
	}
	if err != nil {
		return "", false, err
	}
	for line := range strings.Lines(string(text)) {
		at := strings.Index(line, " /")
		if at < 0 {
			return "", false, fmt.Errorf("file %q: want what a file's inode says and its path, got %q", list, line)
		}
		file := strings.TrimSuffix(line[at+1:], "\n")
		stat, err := r.build.stat(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", false, err
		}
		now += stat.id + " " + file + "\n"
	}
	return now, now == string(text), nil
}
