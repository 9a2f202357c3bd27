// Package pkgfmt reads the packages in which distributions ship kernels (.deb, .rpm) and what is in them (vmlinuz), and
// writes the packages in which updates and splicectl are shipped.
package pkgfmt

import (
	"context"
	"errors"
	"io"
	"io/fs"
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

// Package is an opened package file: what its header says. The file is not kept open.
type Package struct {
	Path    string
	Format  Format
	Name    string
	Version string // as the package manager prints it: [epoch:]version[-release]
	Arch    string // as the package manager names it: amd64, all; x86_64, noarch
	Source  string // source package (deb) or source rpm file name; the name itself where a deb names none
	Summary string // one line
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

// Open reads the header of a .deb or .rpm. The contents decide, not the file's name.
func Open(path string) (*Package, error) { panic("later") }

// Walk calls fn for each file in the package's order; r yields a regular file's bytes and is empty for others. It ends
// with nil at the package's end or when fn returns ErrStop, and with fn's error for any other. Memory is bounded by the
// decompressor's window, whatever the package holds. A name that is absolute through "..", or damage, is an *InputError.
func (p *Package) Walk(ctx context.Context, fn func(e Entry, r io.Reader) error) error {
	panic("later")
}

// Extract writes the files whose name keep accepts below dir, which exists. keep nil means all.
func (p *Package) Extract(ctx context.Context, dir string, keep func(name string) bool) error {
	panic("later")
}
