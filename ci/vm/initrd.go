package vm

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"livesplice/pipeline/process"
)

// writeInitrd makes the initramfs: the agent as /init, the modules that it loads in /boot-modules, and in
// /lib/modules/<release> those that modprobe shall find.
func writeInitrd(ctx context.Context, path, agent string, kernel kernelFiles, extra []string) error {
	tree, err := openModules(kernel.modules)
	if err != nil {
		return err
	}
	boot, err := tree.closure(ctx, bootModules)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := bufio.NewWriterSize(f, 1<<20)
	w := &cpioWriter{w: buf}

	program, err := os.ReadFile(agent)
	if err != nil {
		return err
	}
	for _, d := range []string{"dev", "proc", "sys", "sysroot", "boot-modules"} {
		w.dir(d)
	}
	w.file("init", 0o755, program)
	var order strings.Builder
	for _, name := range boot {
		b, err := tree.read(ctx, name)
		if err != nil {
			return err
		}
		w.file("boot-modules/"+name+".ko", 0o644, b)
		fmt.Fprintln(&order, name+".ko")
	}
	w.file("boot-modules/order", 0o644, []byte(order.String()))
	if len(extra) > 0 {
		if err := addModules(ctx, w, tree, extra, filepath.Dir(path)); err != nil {
			return err
		}
	}
	w.end()
	if w.err == nil {
		w.err = buf.Flush()
	}
	if w.err == nil {
		w.err = f.Close()
	}
	if w.err != nil {
		return fmt.Errorf("initramfs: %w", w.err)
	}
	return nil
}

// addModules puts the closure of names, with depmod's indexes of just these, below lib/modules. The boot modules are
// among them, so that modprobe knows what is loaded already.
func addModules(ctx context.Context, w *cpioWriter, tree *moduleTree, names []string, scratch string) error {
	all, err := tree.closure(ctx, append(append([]string{}, bootModules...), names...))
	if err != nil {
		return err
	}
	release := filepath.Base(tree.dir)
	base := filepath.Join(scratch, "depmod")
	root := filepath.Join(base, "lib", "modules", release)
	paths := []string{"modules.builtin", "modules.builtin.modinfo", "modules.order"}
	for _, name := range all {
		paths = append(paths, tree.files[name])
	}
	for _, rel := range paths {
		b, err := os.ReadFile(filepath.Join(tree.dir, rel))
		if err != nil {
			return fmt.Errorf("modules: %w", err)
		}
		target := filepath.Join(root, rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, b, 0o644); err != nil {
			return err
		}
	}
	if _, err := process.Run(ctx, process.Cmd{Path: "depmod", Args: []string{"-b", base, release}}); err != nil {
		return err
	}
	return filepath.WalkDir(filepath.Join(base, "lib"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(base, path)
		if err != nil || d.IsDir() {
			w.dir(name)
			return err
		}
		b, err := os.ReadFile(path)
		w.file(name, 0o644, b)
		return err
	})
}

// cpioWriter writes the "newc" format that the kernel unpacks. The first error stays in err.
// Source: Documentation/driver-api/early-userspace/buffer-format.rst, v6.1.
type cpioWriter struct {
	w     io.Writer
	inode uint32
	size  int // bytes written, for the alignment to 4
	err   error
}

func (c *cpioWriter) dir(name string) { c.entry(name, 0o040755, nil) }

func (c *cpioWriter) file(name string, perm uint32, b []byte) { c.entry(name, 0o100000|perm, b) }

func (c *cpioWriter) end() { c.entry("TRAILER!!!", 0, nil) }

func (c *cpioWriter) entry(name string, mode uint32, b []byte) {
	c.inode++
	// magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
	c.write(fmt.Appendf(nil, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		c.inode, mode, 0, 0, 1, 0, len(b), 0, 0, 0, 0, len(name)+1, 0))
	c.write(append([]byte(name), 0))
	c.pad()
	c.write(b)
	c.pad()
}

func (c *cpioWriter) pad() { c.write(make([]byte, -c.size&3)) }

func (c *cpioWriter) write(b []byte) {
	if c.err == nil {
		_, c.err = c.w.Write(b)
		c.size += len(b)
	}
}
