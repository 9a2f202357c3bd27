package pkgfmt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// Extract writes the files whose name keep accepts below dir, which exists. keep nil means all. Regular files get mode
// 0644 or 0755, folders 0755; symbolic links are made as written; devices, sockets and pipes are left out. No file comes
// to lie outside dir, whatever links the package has.
func (p *Package) Extract(ctx context.Context, dir string, keep func(name string) bool) error {
	x, err := newExtractor(dir)
	if err != nil {
		return err
	}
	defer x.close()
	return p.Walk(ctx, func(e Entry, r io.Reader) error {
		if keep != nil && !keep(e.Name) {
			return nil
		}
		return x.extract(p.Path, e, r)
	})
}

// extractor writes entries below a folder; os.Root keeps it from leaving it through a symbolic link.
type extractor struct {
	root *os.Root
	made map[string]bool // folders known to exist
}

func newExtractor(dir string) (*extractor, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &extractor{root: root, made: map[string]bool{".": true}}, nil
}

func (x *extractor) close() { x.root.Close() }

// extract writes one entry of the package named pkg.
func (x *extractor) extract(pkg string, e Entry, r io.Reader) error {
	err := x.write(e, r)
	var input *InputError
	if err == nil || errors.As(err, &input) {
		return err
	}
	return fmt.Errorf("file %q: %s: %w", pkg, e.Name, err)
}

func (x *extractor) write(e Entry, r io.Reader) error {
	if err := x.folder(path.Dir(e.Name)); err != nil {
		return err
	}
	switch {
	case e.Mode.IsDir():
		return x.folder(e.Name)
	case e.Hardlink != "":
		return x.root.Link(e.Hardlink, e.Name)
	case e.Mode&fs.ModeSymlink != 0:
		return x.root.Symlink(e.Linkname, e.Name)
	case e.Mode.IsRegular():
		return x.file(e, r)
	}
	return nil
}

func (x *extractor) folder(name string) error {
	if x.made[name] {
		return nil
	}
	if err := x.root.MkdirAll(name, 0o755); err != nil {
		return err
	}
	x.made[name] = true
	return nil
}

func (x *extractor) file(e Entry, r io.Reader) error {
	mode := fs.FileMode(0o644)
	if e.Mode&0o111 != 0 {
		mode = 0o755
	}
	f, err := x.root.OpenFile(e.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
