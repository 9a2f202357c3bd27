package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"livesplice/ci/smallkernel"
	"livesplice/ci/vm"
	"livesplice/pipeline/process"
)

// moreConfig is what the campaign's kernel has beside the small one's: what Debian has too and units can meet.
const moreConfig = `CONFIG_DYNAMIC_DEBUG=y
CONFIG_PREEMPT_DYNAMIC=y
`

// built is a kernel with a scaffold, built in a folder of its own.
type built struct {
	dir     string // holds tree, the folder in which make ran, and kernel, what it installs
	release string
}

func (b *built) tree() string   { return filepath.Join(b.dir, "tree") }
func (b *built) kernel() string { return filepath.Join(b.dir, "kernel") }

// vmConfig boots it.
func (b *built) vmConfig(modules []string) vm.Config {
	return vm.Config{Vmlinuz: filepath.Join(b.kernel(), "boot", "vmlinuz-"+b.release), ModulesDir: filepath.Join(b.kernel(), "lib", "modules", b.release), Modules: modules}
}

// Files that say how far a build has come; their text is what of.
const (
	copied = "copied"
	done   = "done"
)

// bare is the kernel without a scaffold, which all others are copies of.
type bare struct {
	Release  string `json:"release"`
	Object   string `json:"object"`   // the folder in which it was built
	Unpacked string `json:"unpacked"` // its source before
}

// findBare builds the bare kernel, or finds it. A state folder stays with the one that it began with: asking the archive for
// the newest takes as long as a few updates.
func findBare(ctx context.Context, state string) (*bare, error) {
	path := filepath.Join(state, "bare.json")
	var b bare
	if text, err := os.ReadFile(path); err == nil && json.Unmarshal(text, &b) == nil {
		_, err1 := os.Stat(filepath.Join(b.Object, "vmlinux"))
		_, err2 := os.Stat(filepath.Join(b.Unpacked, "Makefile"))
		if err1 == nil && err2 == nil {
			return &b, nil
		}
	}
	k, err := smallkernel.BuildBare(ctx, "adversary", moreConfig)
	if err != nil {
		return nil, err
	}
	b = bare{Release: k.Release, Object: k.Object, Unpacked: k.Unpacked}
	text, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	return &b, replaceFile(path, string(text))
}

// buildScaffold builds the kernel of a scaffold in dir, or finds that it has been. What was begun there goes on.
func buildScaffold(ctx context.Context, from *bare, dir string, files map[string]string) (*built, error) {
	b, err := copyOf(ctx, from, dir)
	key := hashFiles(files)
	if err != nil || isDone(dir, done, key) {
		return b, err
	}
	if err := os.RemoveAll(filepath.Join(dir, done)); err != nil {
		return nil, err
	}
	if err := addFolder(b.tree(), files); err != nil {
		return nil, err
	}
	if err := b.make(ctx); err != nil {
		return nil, err
	}
	return b, writeDone(dir, done, key)
}

// copyOf makes dir hold a copy of the bare kernel, unless it does.
func copyOf(ctx context.Context, from *bare, dir string) (*built, error) {
	b := &built{dir: dir, release: from.Release}
	if isDone(dir, copied, from.Object) {
		return b, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := copyTree(ctx, from.Unpacked, from.Object, b.tree()); err != nil {
		return nil, err
	}
	return b, writeDone(dir, copied, from.Object)
}

func isDone(dir, what, key string) bool {
	text, err := os.ReadFile(filepath.Join(dir, what))
	return err == nil && string(text) == key
}

func writeDone(dir, what, key string) error { return replaceFile(filepath.Join(dir, what), key) }

// copyTree copies a folder in which a kernel was built in place. What it still has of the unpacked source is linked, since nobody
// writes to that; what the build made is copied, since make writes into some of its files.
func copyTree(ctx context.Context, unpacked, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case !info.Mode().IsRegular():
			return nil
		}
		if same, err := os.Lstat(filepath.Join(unpacked, rel)); err == nil && os.SameFile(same, info) {
			return os.Link(path, target)
		}
		if strings.HasPrefix(rel, "tools/") && strings.HasSuffix(rel, ".cmd") {
			return moveCommand(path, target, from, to, info)
		}
		return copyFile(path, target, info)
	})
}

// moveCommand copies one of the files that tools are built by. They have the folder's path in them, and objtool made anew
// would be newer than all objects.
func moveCommand(path, target, from, to string, info fs.FileInfo) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(target, bytes.ReplaceAll(text, []byte(from+"/"), []byte(to+"/")), 0o644); err != nil {
		return err
	}
	return os.Chtimes(target, info.ModTime(), info.ModTime())
}

// copyFile copies a file with its times, by which make goes.
func copyFile(from, to string, info fs.FileInfo) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

// replaceFile writes a file that may be a link to another's until then.
func replaceFile(path, text string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// addFolder puts the scaffold into a source tree.
func addFolder(tree string, files map[string]string) error {
	kbuild := filepath.Join(tree, "Kbuild")
	text, err := os.ReadFile(kbuild)
	if err != nil {
		return err
	}
	const line = "\nobj-y += " + folder + "/\n"
	if !strings.HasSuffix(string(text), line) {
		if err := replaceFile(kbuild, string(text)+line); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(tree, folder), 0o755); err != nil {
		return err
	}
	return writeFiles(tree, files)
}

// writeFiles writes files of the scaffold, those alone that have another text than they should: make goes by times.
func writeFiles(tree string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(tree, folder, name)
		if old, err := os.ReadFile(path); err == nil && string(old) == text {
			continue
		}
		if err := replaceFile(path, text); err != nil {
			return err
		}
	}
	return nil
}

// compilerLine is a line that says what is wrong with a source file.
var compilerLine = regexp.MustCompile(`(?m)^.*(?:error|undefined reference|multiple definition|ERROR).*$`)

// make builds the kernel and installs it in b.kernel: boot/vmlinuz-*, boot/config-*, lib/modules.
func (b *built) make(ctx context.Context) error {
	k := &smallkernel.Kernel{Source: b.tree()}
	if err := os.RemoveAll(b.kernel()); err != nil {
		return err
	}
	boot := filepath.Join(b.kernel(), "boot")
	if err := os.MkdirAll(boot, 0o755); err != nil {
		return err
	}
	for _, args := range [][]string{nil, {"modules_install", "INSTALL_MOD_PATH=" + b.kernel()}} {
		if res, err := k.Make(ctx, b.tree(), args...); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			lines := compilerLine.FindAllString(string(res.Stderr), 12)
			return fmt.Errorf("make %q in %s: %w\n%s", args, b.tree(), err, strings.Join(lines, "\n"))
		}
	}
	for from, to := range map[string]string{"arch/x86/boot/bzImage": "vmlinuz-", ".config": "config-", "System.map": "System.map-"} {
		if _, err := process.Run(ctx, process.Cmd{Path: "cp", Args: []string{filepath.Join(b.tree(), from), filepath.Join(boot, to+b.release)}}); err != nil {
			return err
		}
	}
	return nil
}

// moduleNames are those of the units, sorted.
func moduleNames(units []*unit) (names []string) {
	for _, u := range units {
		names = append(names, u.modules()...)
	}
	slices.Sort(names)
	return names
}
