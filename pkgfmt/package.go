// Package pkgfmt reads the packages in which distributions ship kernels (.deb, .rpm) and what is in them (vmlinuz), and
// writes the packages in which updates and splicectl are shipped.
package pkgfmt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// Format is the kind of a package file.
type Format int

// The formats that are read.
const (
	FormatInvalid Format = iota
	FormatDeb
	FormatRPM
)

func (f Format) String() string {
	switch f {
	case FormatDeb:
		return "deb"
	case FormatRPM:
		return "rpm"
	}
	return "invalid"
}

// MarshalText makes JSON hold the name.
func (f Format) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads that name.
func (f *Format) UnmarshalText(b []byte) error {
	for _, known := range []Format{FormatDeb, FormatRPM} {
		if string(b) == known.String() {
			*f = known
			return nil
		}
	}
	return errors.New("package format \"" + string(b) + "\" is not known, want deb or rpm")
}

// Package is an opened package file: what its header says. The file is not kept open.
type Package struct {
	Path    string `json:"path"`
	Format  Format `json:"format"`
	Name    string `json:"name"`
	Version string `json:"version"` // as the package manager prints it: [epoch:]version[-release]
	Arch    string `json:"arch"`    // as the package manager names it: amd64, all; x86_64, noarch; src for a source rpm
	Source  string `json:"source"`  // source package (deb) or source rpm's file name; a deb that names none is its own
	Summary string `json:"summary"` // one line
}

// Entry is one file of a package.
type Entry struct {
	Name     string      // slash-separated, relative, clean: "boot/vmlinuz-6.1.0-54-amd64"; "." for the root
	Mode     fs.FileMode // type and permission bits
	Size     int64       // bytes; 0 unless a regular file
	Linkname string      // target of a symbolic link, as written
	Hardlink string      // name of an earlier Entry of which this one is another name; "" for all others
	ModTime  time.Time
}

// ErrStop ends a Walk early and without error.
var ErrStop = errors.New("stop")

// Open reads the header of a .deb or .rpm. The contents decide, not the file's name. A file that is neither, or is
// damaged, is an *InputError.
func Open(name string) (*Package, error) {
	f, size, head, err := openFile(name, wantPackage)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch {
	case strings.HasPrefix(string(head), arMagic):
		return openDeb(f, size, name)
	case strings.HasPrefix(string(head), rpmLeadMagic):
		r, err := readRPM(f, size, name)
		if err != nil {
			return nil, err
		}
		return r.describe(name), nil
	}
	return nil, &InputError{Path: name, Want: wantPackage, Got: "this is " + fileKind(head)}
}

const wantPackage = "a .deb or .rpm package"

// Walk calls fn for each file in the package's order; r yields a regular file's bytes and is empty for others. It ends
// with nil at the package's end or when fn returns ErrStop, and with fn's error for any other. Memory is bounded by the
// decompressor's window (at most maxWindow), whatever the package holds. Damage up to where the walk ends, and a name
// with "..", are an *InputError, from r's reads too. A leading "/" means the package's root, as dpkg and rpm have it.
func (p *Package) Walk(ctx context.Context, fn func(e Entry, r io.Reader) error) error {
	f, size, _, err := openFile(p.Path, wantPackage)
	if err != nil {
		return err
	}
	defer f.Close()
	switch p.Format {
	case FormatDeb:
		err = walkDeb(ctx, f, size, p.Path, fn)
	case FormatRPM:
		err = walkRPM(ctx, f, size, p.Path, fn)
	default:
		return &InputError{Path: p.Path, Want: wantPackage}
	}
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// openFile opens a regular file and reads its first bytes, at most sniffLen of them.
func openFile(name, want string) (f *os.File, size int64, head []byte, err error) {
	f, err = os.Open(name)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, 0, nil, &InputError{Path: name, Want: want, Got: "cannot be opened", Err: err}
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		got := "this is not a regular file"
		if st.IsDir() {
			got = "this is a folder"
		}
		err = &InputError{Path: name, Want: want, Got: got}
	}
	if err == nil {
		head = make([]byte, sniffLen)
		var n int
		n, err = f.ReadAt(head, 0)
		head = head[:n]
		if err == io.EOF {
			err = nil
		}
	}
	if err != nil {
		f.Close()
		return nil, 0, nil, err
	}
	return f, st.Size(), head, nil
}

// ReadFile reads a regular file of at most limit bytes; want is what it should be. Errors are *InputError.
func ReadFile(name, want string, limit int64) ([]byte, error) {
	f, size, _, err := openFile(name, want)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, &InputError{Path: name, Want: want, Got: fmt.Sprintf("a file of %d bytes", size)}
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, &InputError{Path: name, Want: want, Err: err}
	}
	return data, nil
}

// entryName makes a name from an archive relative and clean.
func entryName(name string) (string, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return "", errors.New("a NUL byte in the name of a file")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New("the file name \"" + name + "\" leads out of the package")
		}
	}
	return path.Clean("./" + strings.TrimLeft(name, "/")), nil
}
