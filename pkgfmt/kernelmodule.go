package pkgfmt

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// maxModule bounds an unpacked module, in bytes. The largest of Debian's 6.1 (amdgpu) has 19 MB.
const maxModule = 512 << 20

// Module returns the path of the uncompressed file of a module, by the name that lsmod shows ("xfs", "snd_hda_intel").
// Where packages have several of that name, it is the one that modprobe takes: one in updates, as DKMS installs it, before
// the kernel's own. *InputError if none of the kernel's packages has it. The first call for a package takes all its modules
// out of it, which reads all of it; later ones take some milliseconds.
func (k *Kernel) Module(ctx context.Context, name string) (string, error) {
	var (
		from  *tree
		inPkg string // relative to root
		root  string
	)
	for _, t := range k.trees {
		if !slices.Contains(t.facts.Modules, k.Release) && !t.facts.Partial {
			continue
		}
		dir := t.root
		if t.sum != "" {
			var err error
			dir, err = k.store.Dir(ctx, "kernel-modules", t.sum, func(ctx context.Context, dir string) error {
				return t.facts.Package.Extract(ctx, dir, moduleRE.MatchString)
			})
			if err != nil {
				return "", err
			}
		}
		if found := moduleFile(dir, name); found != "" && (inPkg == "" || precedence(found) < precedence(inPkg)) {
			from, inPkg, root = t, found, dir
		}
	}
	if from == nil {
		return "", &InputError{Path: k.trees[0].origin, Want: "also the package that has it", Got: "no module " + name + " in it or in the others given"}
	}
	found := filepath.Join(root, inPkg)
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
		return writeModule(ctx, f, from.origin, inPkg, filepath.Join(dir, name+".ko"))
	})
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name+".ko"), nil
}

// moduleDir is the folder of a module's path below lib/modules/<release>: "kernel", "updates", "extra".
var moduleDir = regexp.MustCompile(`^(?:usr/)?lib/modules/[^/]+/([^/]+)/`)

// precedence orders modules of one name: the lower one is loaded. Source: depmod.d(5), `search`: "updates" is before all
// others by default; Fedora has "updates extra built-in".
func precedence(path string) int {
	m := moduleDir.FindStringSubmatch(path)
	if m == nil {
		return 2
	}
	if i := slices.Index([]string{"updates", "extra"}, m[1]); i >= 0 {
		return i
	}
	return 2
}

// moduleAt gives the release and the name of the module whose file a path in a kernel package is; "" for another path. A
// module's name has "_" where its file may have "-".
func moduleAt(path string) (release, name string) {
	m := moduleRE.FindStringSubmatch(path)
	if m == nil {
		return "", ""
	}
	return m[1], strings.ReplaceAll(m[2], "-", "_")
}

// moduleFile finds a module in a folder, and gives its path there; "" if it is not there.
func moduleFile(root, name string) (found string) {
	for _, dir := range []string{"lib/modules", "usr/lib/modules"} {
		filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // what cannot be read is not there
			}
			rel := strings.TrimPrefix(p, root+"/")
			if _, at := moduleAt(rel); d.Type().IsRegular() && at == name && (found == "" || precedence(rel) < precedence(found)) {
				found = rel
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

// ReadModule reads the file of a module, plain or compressed; origin is how a user knows it. *InputError if it is none.
func ReadModule(ctx context.Context, file, origin string) ([]byte, error) {
	f, _, _, err := openFile(file, "a kernel module")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readModule(ctx, f, origin, filepath.Base(file))
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
