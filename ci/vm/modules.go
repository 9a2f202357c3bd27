package vm

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"livesplice/pkgfmt"
)

// bootModules are what the agent needs before it can mount the root. crc32c_generic comes first since ext4 asks the
// crypto API for crc32c, and nothing in the initramfs answers the kernel's call for modprobe.
var bootModules = []string{"crc32c_generic", "virtio_pci", "virtio_blk", "virtio_console", "ext4"}

// optionalModules may be neither a module nor built in by name: from 6.14 on crc32c is part of the kernel's library.
var optionalModules = []string{"crc32c_generic"}

// moduleTree is the modules of one shipped kernel.
type moduleTree struct {
	dir     string            // "…/lib/modules/<release>"
	files   map[string]string // module name, with underscores: path below dir
	builtin map[string]bool   // names of what is in the kernel itself
}

func openModules(dir string) (*moduleTree, error) {
	t := &moduleTree{dir: dir, files: map[string]string{}, builtin: map[string]bool{}}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name, ok := moduleName(path); ok && d.Type().IsRegular() {
			rel, err := filepath.Rel(dir, path)
			t.files[name] = rel
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("modules: %w", err)
	}
	if len(t.files) == 0 {
		return nil, fmt.Errorf("modules: folder %q: holds no .ko file", dir)
	}
	// Without the list nothing counts as built in; the error then names the module that is missing.
	list, _ := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	for _, path := range strings.Fields(string(list)) {
		if name, ok := moduleName(path); ok {
			t.builtin[name] = true
		}
	}
	return t, nil
}

// moduleName is the name that the kernel gives a module file: kernel/fs/nls/nls_iso8859-1.ko.xz is nls_iso8859_1.
func moduleName(path string) (string, bool) {
	base := filepath.Base(path)
	for _, suffix := range []string{".ko", ".ko.xz", ".ko.zst", ".ko.gz"} {
		if name, ok := strings.CutSuffix(base, suffix); ok {
			return strings.ReplaceAll(name, "-", "_"), true
		}
	}
	return "", false
}

// closure is the named modules with all that they depend on, each after what it needs. What is built in is left out.
func (t *moduleTree) closure(ctx context.Context, names []string) ([]string, error) {
	var order []string
	var visit func(name, wantedBy string) error
	visit = func(name, wantedBy string) error {
		name = strings.ReplaceAll(name, "-", "_")
		if slices.Contains(order, name) || t.builtin[name] {
			return nil
		}
		if _, ok := t.files[name]; !ok {
			if slices.Contains(optionalModules, name) {
				return nil
			}
			return fmt.Errorf("modules: folder %q: no module %q%s", t.dir, name, wantedBy)
		}
		b, err := t.read(ctx, name)
		if err != nil {
			return err
		}
		deps, err := dependsOf(b)
		if err != nil {
			return fmt.Errorf("file %q: %w", filepath.Join(t.dir, t.files[name]), err)
		}
		for _, d := range deps {
			if d == name {
				return fmt.Errorf("file %q: depends on itself", filepath.Join(t.dir, t.files[name]))
			}
			if err := visit(d, ", which "+name+" depends on"); err != nil {
				return err
			}
		}
		order = append(order, name)
		return nil
	}
	for _, n := range names {
		if err := visit(n, ""); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// read is the module's ELF file, decompressed.
func (t *moduleTree) read(ctx context.Context, name string) ([]byte, error) {
	file := filepath.Join(t.dir, t.files[name])
	return pkgfmt.ReadModule(ctx, file, file)
}

// dependsOf reads the depends= entry of a module's .modinfo, which modpost writes: names separated by commas.
// Source: scripts/mod/modpost.c, add_depends, v6.1.
func dependsOf(module []byte) (deps []string, err error) {
	defer func() {
		if r := recover(); r != nil { // debug/elf does not promise to survive every file
			deps, err = nil, fmt.Errorf("not a kernel module: %v", r)
		}
	}()
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("not a kernel module: no section .modinfo")
	}
	info, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("section .modinfo: %w", err)
	}
	for entry := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := strings.CutPrefix(string(entry), "depends="); ok && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
