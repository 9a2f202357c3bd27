// Package source makes a read-only tree of kernel source out of what a distribution ships: a folder, a linux-source
// .deb, a source rpm, or a tar. Archives are unpacked once, into the cache; a folder is used where it is and never written to.
package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"livesplice/pipeline/cache"
	"livesplice/pipeline/process"
	"livesplice/pkgfmt"
)

// Tree is kernel source in a folder. Nobody writes to it.
type Tree struct {
	Origin string // the folder or archive as the user named it

	Dir string // absolute, free of symbolic links; holds Makefile, Kconfig, Kbuild

	// ID names the content, as a key for the cache: of an archive the hex sha256 of its file; of a folder a hash of its
	// path and its files' names, inodes, sizes and times, which holds on this machine only. Keep it out of results.
	ID string

	Version Version

	// PackageVersion is that of the .deb ("6.1.190-1"), "" for anything else: an rpm that a build service signed or built
	// again has another one than its source.
	PackageVersion string
}

const want = "kernel source: a folder, a linux-source .deb, a .src.rpm or a .tar(.xz,.gz,.zst,.bz2)"

// Open finds or makes the tree of path. Errors are *pkgfmt.InputError for what path is, and *process.MissingError for a
// program that unpacking takes.
func Open(ctx context.Context, c *cache.Cache, path string) (*Tree, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, &pkgfmt.InputError{Path: path, Want: want, Err: err}
	}
	if st.IsDir() {
		return openFolder(ctx, path)
	}
	return openArchive(ctx, c, path)
}

func openArchive(ctx context.Context, c *cache.Cache, path string) (*Tree, error) {
	id, err := c.HashFile(path)
	if err != nil {
		return nil, &pkgfmt.InputError{Path: path, Want: want, Err: err}
	}
	as, err := sniff(path)
	if err != nil {
		return nil, err
	}
	t := &Tree{Origin: path, ID: id}
	unpack := unpackTarFile
	if as == kindDeb || as == kindRPM {
		p, err := pkgfmt.Open(path)
		switch {
		case err != nil:
			return nil, err
		case as == kindDeb:
			unpack, t.PackageVersion = unpackDeb, p.Version
		case p.Arch != "src":
			return nil, &pkgfmt.InputError{Path: path, Want: want, Got: "an rpm of " + p.Arch}
		default:
			unpack = unpackSourceRPM
		}
	}
	dir, err := c.Dir(ctx, "source", id, func(ctx context.Context, dir string) error {
		if err := unpack(ctx, path, as, dir); err != nil {
			return err
		}
		_, err := top(path, dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	if t.Dir, err = top(path, dir); err != nil {
		return nil, err
	}
	t.Version, err = ReadVersion(t.Dir)
	return t, err
}

// top is the folder of an unpacked archive that holds the source: the archive's single top folder, or its root.
func top(archive, dir string) (string, error) {
	if isSource(dir) {
		return dir, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) == 1 && isSource(filepath.Join(dir, entries[0].Name())) {
		return filepath.Join(dir, entries[0].Name()), nil
	}
	return "", &pkgfmt.InputError{Path: archive, Want: want, Got: "an archive without a kernel's Makefile and Kconfig at its top"}
}

func isSource(dir string) bool {
	for _, name := range []string{"Makefile", "Kconfig", "Kbuild", "scripts/Makefile.build"} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || !st.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// sourceTar matches the archive inside Debian's linux-source packages. Debian also puts linux-patch-*-rt.patch.xz and
// configs there, which are not the source as built.
var sourceTar = regexp.MustCompile(`^usr/src/linux-source-[^/]+\.tar(\.(xz|gz|zst|bz2))?$`)

func unpackDeb(ctx context.Context, path string, _ kind, dir string) error {
	p, err := pkgfmt.Open(path)
	if err != nil {
		return err
	}
	found := false
	err = p.Walk(ctx, func(e pkgfmt.Entry, r io.Reader) error {
		if !sourceTar.MatchString(e.Name) || !e.Mode.IsRegular() {
			return nil
		}
		found = true
		if err := unpackTar(ctx, path+" ("+e.Name+")", r, tarKindOf(e.Name), dir); err != nil {
			return err
		}
		return pkgfmt.ErrStop
	})
	if err != nil {
		return err
	}
	if !found {
		return &pkgfmt.InputError{Path: path, Want: "a linux-source package",
			Got: fmt.Sprintf("package %s without usr/src/linux-source-*.tar.xz", p.Name)}
	}
	return nil
}

func unpackTarFile(ctx context.Context, path string, as kind, dir string) error {
	f, err := os.Open(path)
	if err != nil {
		return &pkgfmt.InputError{Path: path, Want: want, Err: err}
	}
	defer f.Close()
	if as == kindTar {
		// tar(1) takes any file's end for the archive's; a compressed one tells itself when it is cut off.
		if err := checkEnd(f); err != nil {
			return &pkgfmt.InputError{Path: path, Want: "a whole, undamaged archive", Err: err}
		}
	}
	return unpackTar(ctx, path, f, as, dir)
}

// checkEnd makes sure that a tar ends in two blocks of zeros, and leaves f at its beginning.
func checkEnd(f *os.File) error {
	end := make([]byte, 1024)
	if _, err := f.Seek(-int64(len(end)), io.SeekEnd); err != nil {
		return err
	}
	if _, err := io.ReadFull(f, end); err != nil {
		return err
	}
	if len(bytes.Trim(end, "\x00")) > 0 {
		return errors.New("no end mark: it is cut off")
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// unpackTar unpacks a tar stream with the programs that are fast at it: xz -T0 uses all cores, where a decoder in Go
// takes several times as long.
func unpackTar(ctx context.Context, name string, r io.Reader, as kind, dir string) error {
	pr, pw, err := os.Pipe()
	if err != nil {
		return err
	}
	defer pr.Close()
	filter := make(chan error, 1)
	fctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer pw.Close()
		if args := as.filter(); args != nil {
			_, err := process.Run(fctx, process.Cmd{Path: args[0], Args: args[1:], Stdin: r, Stdout: pw, Limit: 4 << 10})
			filter <- err
			return
		}
		_, err := io.Copy(pw, r)
		filter <- err
	}()
	_, terr := process.Run(ctx, process.Cmd{Path: "tar", Stdin: pr,
		Args: []string{"-x", "-f", "-", "-C", dir, "--no-same-owner", "--no-same-permissions", "--delay-directory-restore"}})
	pr.Close()
	if terr != nil {
		stop() // the filter would wait for a reader
	}
	ferr := <-filter
	return unpackError(ctx, name, ferr, terr)
}

// unpackError tells damage in the archive from a machine's fault. When tar ended early, the filter's error is its echo.
func unpackError(ctx context.Context, name string, ferr, terr error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var missing *process.MissingError
	var exit *process.ExitError
	for _, err := range []error{ferr, terr} {
		if isError(err, &missing) {
			return err
		}
	}
	if ferr != nil && (terr == nil || isError(ferr, &exit) && exit.Signal == "") {
		return &pkgfmt.InputError{Path: name, Want: "a whole, undamaged archive", Err: ferr}
	}
	if isError(terr, &exit) && !strings.Contains(string(exit.Stderr), "No space left") {
		return &pkgfmt.InputError{Path: name, Want: "a whole, undamaged archive", Err: terr}
	}
	return terr
}
