package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// overlay is a folder that looks like another one with some files changed: these files are real, and so are the
// folders that lead to them; everything else is symbolic links into the other folder. One that was used may have more real
// folders than its files need: what a compiler reads is the same.
type overlay struct {
	base, dir string
	files     map[string][]byte // by path relative to base; nil: the file is gone
	real      map[string]bool   // folders that are real, "." among them
}

// newOverlay makes the overlay of base in dir, which must not exist yet.
func newOverlay(base, dir string, files map[string][]byte) (*overlay, error) {
	o := &overlay{base: base, dir: dir, real: map[string]bool{}}
	return o, o.change(files)
}

// change puts other files in the place of those that were changed so far. An overlay for which it fails is of no more use.
func (o *overlay) change(files map[string][]byte) error {
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if path == "" || !filepath.IsLocal(path) || filepath.Clean(path) != path {
			return fmt.Errorf("file %q: not a path inside the tree", path)
		}
	}
	before := o.files
	o.files = files
	for _, path := range slices.Sorted(maps.Keys(before)) {
		if _, still := files[path]; still {
			continue
		}
		if err := o.put(path, nil); err != nil {
			return err
		}
		if _, err := os.Lstat(filepath.Join(o.base, path)); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join(o.base, path), filepath.Join(o.dir, path)); err != nil {
			return err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if err := o.makeReal(filepath.Dir(path)); err != nil {
			return err
		}
		if content, same := before[path]; same && (content == nil) == (files[path] == nil) && bytes.Equal(content, files[path]) {
			continue
		}
		if err := o.put(path, files[path]); err != nil {
			return err
		}
	}
	return nil
}

// put makes a file of a real folder anew; nil takes it away. What had its name is never written to: it may be a link to the
// tree's own file.
func (o *overlay) put(path string, content []byte) error {
	name := filepath.Join(o.dir, path)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if content == nil {
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// lasting says that every changed file is in a folder that the tree has: other files can take their place later without
// leaving a folder that the tree lacks.
func (o *overlay) lasting() bool {
	for path := range o.files {
		if !isFolder(filepath.Join(o.base, filepath.Dir(path))) {
			return false
		}
	}
	return true
}

// makeReal turns a folder, and those that lead to it, from links into folders of links.
func (o *overlay) makeReal(rel string) error {
	if o.real[rel] {
		return nil
	}
	if rel != "." {
		if err := o.makeReal(filepath.Dir(rel)); err != nil {
			return err
		}
	}
	dir := filepath.Join(o.dir, rel)
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	o.real[rel] = true
	entries, err := os.ReadDir(filepath.Join(o.base, rel))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a patch may add a folder
		return err
	}
	for _, e := range entries {
		path := filepath.Join(rel, e.Name())
		if _, touched := o.files[path]; touched {
			continue
		}
		if err := os.Symlink(filepath.Join(o.base, path), filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// stale finds folders that must be real for the compiler to see the changed files. A path with ".." in it leads out of
// the overlay when the folder before it is a link: "fs/nfs/../internal.h" is that of the base while fs/nfs is one.
// deps are the files that the compiler read, as it named them.
func (o *overlay) stale(deps []string) ([]string, error) {
	var dirs []string
	for _, d := range deps {
		rel, ok := strings.CutPrefix(d, o.dir+"/")
		if !ok || !strings.Contains(rel, "../") {
			continue
		}
		if _, touched := o.files[filepath.Clean(rel)]; !touched {
			continue
		}
		real, err := filepath.EvalSymlinks(filepath.Join(o.dir) + "/" + rel)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(real, o.dir+"/") {
			continue
		}
		for i := range strings.Count(rel, "/") {
			before := strings.Join(strings.SplitAfterN(rel, "/", i+2)[:i+1], "")
			if dir := filepath.Clean(before); filepath.IsLocal(dir) && !o.real[dir] {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs, nil
}
