package pkgfmt

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// EveryModule calls fn for each module of the kernel: its name as lsmod shows it, its path in the package, and the unpacked
// file, which is fn's to keep. The order is that of the packages. Packages are read to their ends, which takes some seconds
// for the thousands of modules of a distribution. An error of fn ends it; ErrStop does so without an error.
func (k *Kernel) EveryModule(ctx context.Context, fn func(name, path string, image []byte) error) error {
	for _, t := range k.trees {
		walk := t.facts.Package.Walk
		if t.sum == "" {
			walk = t.walkFolder
		}
		stopped := false
		err := walk(ctx, func(e Entry, r io.Reader) error {
			release, name := moduleAt(e.Name)
			if release != k.Release || !e.Mode.IsRegular() {
				return nil
			}
			image, err := readModule(ctx, r, t.origin, e.Name)
			if err != nil {
				return err
			}
			err = fn(name, e.Name, image)
			stopped = errors.Is(err, ErrStop)
			return err
		})
		if err != nil || stopped {
			return err
		}
	}
	return nil
}

// walkFolder is Walk for the modules of a folder. Where /lib is a link to /usr/lib each file comes once.
func (t *tree) walkFolder(ctx context.Context, fn func(Entry, io.Reader) error) error {
	seen := map[string]bool{}
	for _, dir := range []string{"lib/modules", "usr/lib/modules"} {
		real, err := filepath.EvalSymlinks(filepath.Join(t.root, dir))
		if err != nil || seen[real] {
			continue // what is not there or cannot be read has no modules
		}
		seen[real] = true
		err = filepath.WalkDir(real, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			rel, err := filepath.Rel(real, p)
			if err != nil {
				return err
			}
			f, err := os.Open(p)
			if err != nil {
				return err
			}
			defer f.Close()
			return fn(Entry{Name: dir + "/" + filepath.ToSlash(rel), Mode: d.Type()}, f)
		})
		if errors.Is(err, ErrStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
