package pkgfmt

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Store keeps what was extracted once for the next run; *cache.Cache is one.
type Store interface {
	// Dir returns the folder of (kind, key), made by fill if it is not there: whole or not at all.
	Dir(ctx context.Context, kind, key string, fill func(ctx context.Context, dir string) error) (string, error)
	// HashFile returns the hex sha256 of a file, remembered by its stat.
	HashFile(path string) (string, error)
}

// Kernel is one shipped kernel, gathered from its packages. All paths are absolute and to be read only.
type Kernel struct {
	Release        string   `json:"release"`         // uname -r
	Arch           string   `json:"arch"`            // uname -m: "x86_64"
	PackageName    string   `json:"package_name"`    // the package that has vmlinuz; "" when it was given unpacked
	PackageVersion string   `json:"package_version"` // its version; "" when it was given unpacked
	Banner         string   `json:"banner"`          // linux_banner without its newline
	Version        string   `json:"version"`         // uname -v: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.190-1 (2026-10-16)"
	Compiler       string   `json:"compiler"`        // from the banner: "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"
	Linker         string   `json:"linker"`          // from the banner: "GNU ld (GNU Binutils for Debian) 2.40"
	BuildID        HexBytes `json:"build_id"`        // vmlinux's NT_GNU_BUILD_ID note, 20 bytes with sha1

	Vmlinuz       string `json:"vmlinuz"`        // the shipped bzImage
	Vmlinux       string `json:"vmlinux"`        // the ELF in it
	Config        string `json:"config"`         // the full .config, that of the headers before that of /boot
	Symvers       string `json:"symvers"`        // Module.symvers of the headers
	Headers       string `json:"headers"`        // the flavour's headers: include/generated, include/config, arch/x86/include/generated
	HeadersCommon string `json:"headers_common"` // the headers of all flavours where these are apart (Debian, Ubuntu); "" if not given

	store Store
	trees []*tree
}

// Origin is how a user knows one of the kernel's files: a path in the store as the package that was given, with the file's
// path in it; any other path as it is.
func (k *Kernel) Origin(path string) string {
	for _, t := range k.trees {
		if rel, ok := strings.CutPrefix(path, t.root+"/"); ok && t.facts.Package != nil {
			return t.origin + " (" + rel + ")"
		}
	}
	return path
}

// HexBytes prints as lower-case hex, in JSON too.
type HexBytes []byte

func (h HexBytes) String() string { return hex.EncodeToString(h) }

// MarshalText is String.
func (h HexBytes) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads hex.
func (h *HexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// OpenKernel gathers a kernel from shipped packages (.deb or .rpm: image, headers, common headers, modules, in any order)
// or folders with such packages unpacked. It checks that they are of one kernel: *MismatchError if not. *InputError for a
// file that cannot be read, and for a piece that is missing: image, config or headers. Only the first call for a package
// reads all of it; later ones take some milliseconds. A package that is given twice counts once.
func OpenKernel(ctx context.Context, c Store, paths []string) (*Kernel, error) {
	k, err := OpenImage(ctx, c, paths)
	if err != nil {
		return nil, err
	}
	if k.Headers == "" {
		return nil, missing(paths, k.trees, "kernel headers", "linux-headers-"+k.Release, "kernel-devel-"+k.Release)
	}
	return k, k.checkWhole(ctx)
}

// checkWhole reads once to its end each package of which only the beginning was needed: damage behind it means that the
// file is not what was shipped.
func (k *Kernel) checkWhole(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range k.trees {
		if !t.facts.Partial {
			continue
		}
		g.Go(func() error {
			_, err := k.store.Dir(ctx, "whole-package", t.sum, func(ctx context.Context, _ string) error {
				return t.facts.Package.Walk(ctx, func(_ Entry, r io.Reader) error {
					_, err := io.Copy(io.Discard, r)
					return err
				})
			})
			return err
		})
	}
	return g.Wait()
}

// OpenImage is OpenKernel for those who need no headers: Headers, Symvers and HeadersCommon may be empty.
func OpenImage(ctx context.Context, c Store, paths []string) (*Kernel, error) {
	if len(paths) == 0 {
		return nil, errors.New("no kernel packages given")
	}
	trees := make([]*tree, len(paths))
	g, gctx := errgroup.WithContext(ctx)
	for i, p := range paths {
		g.Go(func() (err error) {
			trees[i], err = openTree(gctx, c, p)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	k := &Kernel{Arch: "x86_64", store: c}
	for _, t := range trees {
		if !slices.ContainsFunc(k.trees, func(o *tree) bool { return o.root == t.root }) {
			k.trees = append(k.trees, t)
		}
	}
	image, err := k.findImage(paths)
	if err != nil {
		return nil, err
	}
	if err := k.readImage(ctx, image); err != nil {
		return nil, err
	}
	headers, err := k.findHeaders(image)
	if err != nil {
		return nil, err
	}
	if err := k.findConfig(paths, image, headers); err != nil {
		return nil, err
	}
	return k, k.checkModules(image)
}

// missing names the package that has a piece, as Debian and Ubuntu or as Fedora and RHEL call it.
func missing(paths []string, trees []*tree, what, deb, rpm string) error {
	name := deb
	for _, t := range trees {
		if t.facts.Package != nil && t.facts.Package.Format == FormatRPM {
			name = rpm
		}
	}
	e := &InputError{Path: paths[0], Want: "also the package " + name, Got: "no " + what + " in it"}
	if len(paths) > 1 {
		e.Got += " or in the others given"
	}
	return e
}

// findImage finds the one vmlinuz.
func (k *Kernel) findImage(paths []string) (*piece, error) {
	var found *piece
	for _, t := range k.trees {
		for _, p := range t.vmlinuz {
			if found != nil {
				return nil, &InputError{Path: p.origin(), Want: "one kernel at a time", Got: "a second kernel image, " + filepath.Base(p.path) + " after " + filepath.Base(found.path)}
			}
			found = &p
		}
	}
	if found == nil {
		release := "<release>"
		for _, t := range k.trees {
			for _, h := range t.headers {
				release = h.release
			}
		}
		return nil, missing(paths, k.trees, "kernel image (vmlinuz)", "linux-image-"+release, "kernel-core-"+release)
	}
	return found, nil
}

// imageFacts is what is kept beside an unpacked vmlinux.
type imageFacts struct {
	Banner  string
	BuildID HexBytes
}

// readImage unpacks vmlinuz into the store and reads what the image says of itself.
func (k *Kernel) readImage(ctx context.Context, image *piece) error {
	k.Vmlinuz = image.path
	if pkg := image.tree.facts.Package; pkg != nil {
		k.PackageName, k.PackageVersion = pkg.Name, pkg.Version
	}
	sum, err := k.store.HashFile(image.path)
	if err != nil {
		return &InputError{Path: image.path, Want: "a kernel image", Err: err}
	}
	dir, err := k.store.Dir(ctx, "vmlinux", sum, func(_ context.Context, dir string) error {
		return unpackImage(image.path, image.origin(), dir)
	})
	if err != nil {
		return err
	}
	k.Vmlinux = filepath.Join(dir, "vmlinux")
	var facts imageFacts
	if err := readJSON(filepath.Join(dir, "facts.json"), &facts); err != nil {
		return err
	}
	b, err := parseBanner(facts.Banner)
	if err != nil {
		return &InputError{Path: image.origin(), Want: "a Linux kernel", Err: err}
	}
	k.Banner, k.Release, k.Version, k.Compiler, k.Linker, k.BuildID = b.Text, b.Release, b.Version, b.Compiler, b.Linker, facts.BuildID
	if image.release != "" && image.release != k.Release {
		return &MismatchError{Path: image.origin(), Want: "release " + image.release + " as its name says", Got: filepath.Base(image.path) + " is of release " + k.Release}
	}
	return nil
}

func unpackImage(path, origin, dir string) error {
	const want = "a whole 64-bit x86 kernel image"
	packed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	image, err := Vmlinux(packed)
	if err != nil {
		return &InputError{Path: origin, Want: want, Got: filepath.Base(path) + " is not usable", Err: err}
	}
	banner, err := findBanner(image)
	if err != nil {
		return &InputError{Path: origin, Want: want, Err: err}
	}
	f, err := openELF(image)
	if err != nil {
		return &InputError{Path: origin, Want: want, Err: err}
	}
	id, err := buildID(f)
	if err != nil {
		return &InputError{Path: origin, Want: want, Err: err}
	}
	if err := os.WriteFile(filepath.Join(dir, "vmlinux"), image, 0o644); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "facts.json"), imageFacts{Banner: banner.Text, BuildID: id})
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
