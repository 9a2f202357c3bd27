package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"livesplice/pkgfmt"
)

// madeByKbuild is what makes kbuild refuse a folder as the source of a build elsewhere (O=).
// Source: target outputmakefile, Makefile, v6.1.
var madeByKbuild = []string{".config", "include/config", "arch/x86/include/generated"}

// openFolder checks that a folder is clean kernel source and names its content.
func openFolder(ctx context.Context, path string) (*Tree, error) {
	fail := func(got string, err error) (*Tree, error) {
		return nil, &pkgfmt.InputError{Path: path, Want: want, Got: got, Err: err}
	}
	dir, err := filepath.Abs(path)
	if err != nil {
		return fail("", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return fail("", err)
	}
	if !isSource(dir) {
		return fail("a folder without a kernel's Makefile, Kconfig, Kbuild and scripts/Makefile.build", nil)
	}
	if !KbuildPath(dir) {
		return fail("a folder whose path has a character in it that kbuild cannot take", nil)
	}
	for _, made := range madeByKbuild {
		if _, err := os.Lstat(filepath.Join(dir, made)); err == nil {
			return fail(fmt.Sprintf("a folder in which a kernel was configured or built (%s is there): run `make mrproper` in a copy", made), nil)
		}
	}
	v, err := ReadVersion(dir)
	if err != nil {
		return nil, err
	}
	id, err := folderID(ctx, dir)
	var out *linkError
	if errors.As(err, &out) {
		return fail(out.Error(), nil)
	}
	if err != nil {
		return fail("", err)
	}
	return &Tree{Origin: path, Dir: dir, ID: id, Version: v}, nil
}

// OpenBuilt takes the source folder of a finished build, by its real path: kbuild may have worked in it. Its ID is empty.
// *pkgfmt.InputError for anything else.
func OpenBuilt(dir string) (*Tree, error) {
	fail := func(got string, err error) (*Tree, error) {
		return nil, &pkgfmt.InputError{Path: dir, Want: "the source of a kernel build", Got: got, Err: err}
	}
	switch {
	case !isSource(dir):
		return fail("a folder without a kernel's Makefile, Kconfig, Kbuild and scripts/Makefile.build", nil)
	case !KbuildPath(dir):
		return fail("a folder whose path has a character in it that kbuild cannot take", nil)
	}
	v, err := ReadVersion(dir)
	if err != nil {
		return fail("", err)
	}
	return &Tree{Origin: dir, Dir: dir, Version: v}, nil
}

// OpenModule takes the source of out-of-tree modules: a folder with a Kbuild or Makefile. Its Version is empty.
// *pkgfmt.InputError for anything else, and for a folder with symbolic links out of it.
func OpenModule(ctx context.Context, path string) (*Tree, error) {
	const want = "source of an out-of-tree module: a folder with a Kbuild or Makefile that sets obj-m"
	fail := func(got string, err error) (*Tree, error) {
		return nil, &pkgfmt.InputError{Path: path, Want: want, Got: got, Err: err}
	}
	dir, err := filepath.EvalSymlinks(path)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return fail("", err)
	}
	if st, err := os.Stat(dir); err != nil {
		return fail("", err)
	} else if !st.IsDir() {
		return fail("no folder", nil)
	}
	_, kbuild := os.Stat(filepath.Join(dir, "Kbuild"))
	_, makefile := os.Stat(filepath.Join(dir, "Makefile"))
	if kbuild != nil && makefile != nil {
		return fail("a folder with neither", nil)
	}
	id, err := folderID(ctx, dir)
	var link *linkError
	switch {
	case errors.As(err, &link):
		return fail(link.Error(), nil)
	case err != nil:
		return nil, err
	}
	return &Tree{Origin: path, Dir: dir, ID: id}, nil
}

// KbuildPath says whether kbuild can work with a path.
// Source: "source directory cannot contain spaces or colons", Makefile, v6.1. The other characters would have to be quoted
// in recorded commands; -Wp, which names the file for dependencies in them, ends at a comma.
func KbuildPath(path string) bool { return !strings.ContainsAny(path, " :,\t\n'\"\\$%#;&|<>()*?[]`") }

// folderID is a sha256 over the names of all files and what their inodes say. Reading 80,000 files would take ten
// seconds; this takes 0.3, and is as sound, since no content changes without the ctime of its inode. It is not the same on
// another machine.
func folderID(ctx context.Context, dir string) (string, error) {
	return namedContent(ctx, dir, checkLink)
}

// FolderID names the content of any folder, as Tree.ID does that of a folder of source; what links lead to is not looked
// at.
func FolderID(ctx context.Context, dir string) (string, error) {
	return namedContent(ctx, dir, func(string, string) error { return nil })
}

func namedContent(ctx context.Context, dir string, link func(dir, rel string) error) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n", dir)
	err := walk(ctx, dir, func(rel string, info fs.FileInfo) error {
		if info.Mode()&fs.ModeSymlink != 0 {
			if err := link(dir, rel); err != nil {
				return err
			}
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("file %q: no inode number", rel)
		}
		_, err := fmt.Fprintf(sum, "%s\x00%d %d %o %d %d.%d %d.%d\n", rel, st.Dev, st.Ino, st.Mode, st.Size,
			st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// linkError is a symbolic link that leads out of the folder. A change of what it leads to would go unnoticed.
type linkError struct{ link, target string }

func (e *linkError) Error() string {
	return fmt.Sprintf("a folder with a symbolic link out of it, %s -> %s", e.link, e.target)
}

func checkLink(dir, rel string) error {
	target, err := filepath.EvalSymlinks(filepath.Join(dir, rel))
	if err != nil {
		return nil // leads nowhere, so that nothing is read through it
	}
	if to, err := filepath.Rel(dir, target); err != nil || !filepath.IsLocal(to) {
		return &linkError{rel, target}
	}
	return nil
}

// walk visits the files of a tree in the order of their names. A version control system's own folder is not source.
func walk(ctx context.Context, dir string, fn func(rel string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		if rel == ".git" { // of a git worktree
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return fn(rel, info)
	})
}
