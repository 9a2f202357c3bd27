package pkgfmt

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxModule bounds an unpacked module, in bytes. The largest of Debian's 6.1 (amdgpu) has 19 MB.
const maxModule = 512 << 20

// Module returns the path of the uncompressed file of a module, by the name that lsmod shows ("xfs", "snd_hda_intel").
// *InputError if none of the kernel's packages has it. The first call for a package takes all its modules out of it,
// which reads all of it; later ones take some milliseconds.
func (k *Kernel) Module(ctx context.Context, name string) (string, error) {
	for _, t := range k.trees {
		if !slices.Contains(t.facts.Modules, k.Release) && !t.facts.Partial {
			continue
		}
		root := t.root
		if t.sum != "" {
			dir, err := k.store.Dir(ctx, "kernel-modules", t.sum, func(ctx context.Context, dir string) error {
				return t.facts.Package.Extract(ctx, dir, moduleRE.MatchString)
			})
			if err != nil {
				return "", err
			}
			root = dir
		}
		found := moduleFile(root, name)
		if found == "" {
			continue
		}
		if strings.HasSuffix(found, ".ko") {
			return found, nil
		}
		sum, err := k.store.HashFile(found)
		if err != nil {
			return "", err
		}
		dir, err := k.store.Dir(ctx, "kernel-module", sum, func(ctx context.Context, dir string) error {
			f, err := os.Open(found)
			if err != nil {
				return err
			}
			defer f.Close()
			return writeModule(ctx, f, t.origin, strings.TrimPrefix(found, root+"/"), filepath.Join(dir, name+".ko"))
		})
		if err != nil {
			return "", err
		}
		return filepath.Join(dir, name+".ko"), nil
	}
	return "", &InputError{Path: k.trees[0].origin, Want: "also the package that has it", Got: "no module " + name + " in it or in the others given"}
}

// moduleNamed says whether a path in a kernel package is the file of a module. A module's name has "_" where its file
// may have "-".
func moduleNamed(path, name string) bool {
	m := moduleRE.FindStringSubmatch(path)
	return m != nil && strings.ReplaceAll(m[2], "-", "_") == name
}

// moduleFile finds a module in a folder; "" if it is not there.
func moduleFile(root, name string) (found string) {
	for _, dir := range []string{"lib/modules", "usr/lib/modules"} {
		filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // what cannot be read is not there
			}
			if d.Type().IsRegular() && moduleNamed(strings.TrimPrefix(p, root+"/"), name) {
				found = p
				return fs.SkipAll
			}
			return nil
		})
		if found != "" {
			return found
		}
	}
	return ""
}

func writeModule(ctx context.Context, r io.Reader, path, member, dst string) error {
	image, err := readModule(ctx, r, path, member)
	if err != nil {
		return err
	}
	return os.WriteFile(dst, image, 0o644)
}

// readModule reads a module file and unpacks it if it is compressed (CONFIG_MODULE_COMPRESS_*).
func readModule(ctx context.Context, r io.Reader, path, member string) ([]byte, error) {
	const want = "a kernel module"
	fail := func(err error) error { return damaged(path, member, want, err) }
	plain := func(head []byte) bool { return strings.HasPrefix(string(head), "\x7fELF") }
	src, closer, err := openPayload(ctx, r, plain, fail)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	image, err := io.ReadAll(io.LimitReader(src, maxModule+1))
	if err != nil {
		return nil, err
	}
	if len(image) > maxModule || !plain(image) {
		return nil, &InputError{Path: path, Want: want, Got: member + " holds " + fileKind(image[:min(len(image), sniffLen)])}
	}
	return image, nil
}

// ModulesBuiltin returns the path of modules.builtin, the list of what could be a module but is in vmlinux; "" if none
// of the packages has it. Where a package has it after its modules, the first call reads the package to its end.
func (k *Kernel) ModulesBuiltin(ctx context.Context) (string, error) {
	for _, t := range k.trees {
		root := t.root
		if t.facts.Partial {
			dir, err := k.store.Dir(ctx, "kernel-modules-lists", t.sum, func(ctx context.Context, dir string) error {
				return t.facts.Package.Extract(ctx, dir, listRE.MatchString)
			})
			if err != nil {
				return "", err
			}
			root = dir
		}
		for _, lib := range []string{"lib", "usr/lib"} {
			if p := filepath.Join(root, lib, "modules", k.Release, "modules.builtin"); isFile(p) {
				return p, nil
			}
		}
	}
	return "", nil
}
