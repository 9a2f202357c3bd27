package pipeline

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"livesplice/kmod/match"
	"livesplice/kmod/vmlinux"
	"livesplice/pkgfmt"
)

// checkDebugInfo holds every place that matching found against the symbol table of a vmlinux with symbols. Matching
// needs no such file; a packager who has it gets a second witness.
func (c *creation) checkDebugInfo(ctx context.Context) (string, error) {
	if c.opts.DebugInfo == "" {
		return "", nil
	}
	path, err := c.debugVmlinux(ctx)
	if err != nil {
		return "", err
	}
	symbols, err := c.debugSymbols(path)
	if err != nil {
		return "", err
	}
	var wrong match.Mismatch
	checked := 0
	check := func(unit string, p vmlinux.Place) {
		if p.Object != vmlinux.Object {
			return // the file is of vmlinux
		}
		checked++
		if !symbols[place{p.Name, p.Addr}] {
			wrong.Differences = append(wrong.Differences, match.Difference{Unit: unit, Subject: p.Name, Address: p.Addr,
				Reason: "the debug information has no symbol of this name there"})
		}
	}
	for _, s := range c.link.Splices {
		check(s.Unit, s.Place)
	}
	for _, u := range c.units {
		for _, n := range u.Extract.Needs {
			if b, ok := c.link.Symbols[n.Sym.Name]; ok {
				check(u.Diff.Unit, b.Place)
			}
		}
	}
	if len(wrong.Differences) > 0 {
		return "", &wrong
	}
	return fmt.Sprintf(", %d places found in the debug information too", checked), nil
}

type place struct {
	name string
	addr uint64
}

// debugVmlinux finds the ELF file: given as such, in a folder, or in a package, whose file is kept in the cache.
func (c *creation) debugVmlinux(ctx context.Context) (string, error) {
	path := c.opts.DebugInfo
	names := []string{"usr/lib/debug/boot/vmlinux-" + c.kernel.Release, "usr/lib/debug/lib/modules/" + c.kernel.Release + "/vmlinux", "vmlinux"}
	st, err := os.Stat(path)
	if err != nil {
		return "", &pkgfmt.InputError{Path: path, Want: "debug information", Err: err}
	}
	if st.IsDir() {
		for _, n := range names {
			if _, err := os.Stat(filepath.Join(path, n)); err == nil {
				return filepath.Join(path, n), nil
			}
		}
		return "", &pkgfmt.InputError{Path: path, Want: "a folder with " + strings.Join(names, " or "), Got: "none of them"}
	}
	if head := make([]byte, 4); readHead(path, head) == nil && string(head) == elf.ELFMAG {
		return path, nil
	}
	p, err := pkgfmt.Open(path)
	if err != nil {
		return "", err
	}
	sum, err := c.cache.HashFile(path)
	if err != nil {
		return "", err
	}
	dir, err := c.cache.Dir(ctx, "debuginfo", sum, func(ctx context.Context, dir string) error {
		return p.Walk(ctx, func(e pkgfmt.Entry, r io.Reader) error {
			for _, n := range names {
				if e.Name == n && e.Mode.IsRegular() {
					if err := writeFrom(filepath.Join(dir, "vmlinux"), r); err != nil {
						return err
					}
					return pkgfmt.ErrStop
				}
			}
			return nil
		})
	})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "vmlinux")
	if _, err := os.Stat(file); err != nil {
		return "", &pkgfmt.InputError{Path: path, Want: "a package with " + names[0], Got: "none of that name"}
	}
	return file, nil
}

func readHead(path string, b []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.ReadFull(f, b)
	return err
}

func writeFrom(path string, r io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// debugSymbols reads the symbol table of a vmlinux, which must be the shipped one's by its build-id.
func (c *creation) debugSymbols(path string) (symbols map[place]bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &pkgfmt.InputError{Path: path, Want: "a vmlinux with symbols", Got: fmt.Sprint(r)}
		}
	}()
	f, err := elf.Open(path)
	if err != nil {
		return nil, &pkgfmt.InputError{Path: path, Want: "a vmlinux with symbols", Err: err}
	}
	defer f.Close()
	if notes := f.Section(".notes"); notes != nil {
		data, err := notes.Data()
		if err != nil || !bytes.Contains(data, c.kernel.BuildID) {
			return nil, &pkgfmt.MismatchError{Path: path, Want: "build-id " + c.kernel.BuildID.String(), Got: "another build-id"}
		}
	}
	all, err := f.Symbols()
	if err != nil {
		return nil, &pkgfmt.InputError{Path: path, Want: "a vmlinux with symbols", Err: err}
	}
	symbols = make(map[place]bool, len(all))
	for _, s := range all {
		symbols[place{s.Name, s.Value}] = true
	}
	return symbols, nil
}
