package archive

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"pault.ag/go/debian/version"
)

// Kernel is one amd64 kernel of the archive, whole: signed image, both headers packages and source, all of one version.
type Kernel struct {
	Series  string // "6.1"
	ABI     string // "6.1.0-54"
	Release string // `uname -r`: "6.1.0-54-amd64"
	Version string // Debian version: "6.1.190-1"

	image, headers, common, source pkg
	// binary, modules and base are what a split image consists of; zero for others.
	binary, modules, base pkg
	archive               *Archive
}

// Files are the .deb files of a Kernel in the download folder.
type Files struct {
	Image         string // linux-image-<release>, the signed one
	Headers       string // linux-headers-<release>
	HeadersCommon string // linux-headers-<abi>-common
	Source        string // linux-source-<series>
	// Modules and Base are linux-modules-<release> and linux-base-<release>, where the image is split and Image is
	// linux-binary-<release> (Debian, Linux 7.0 on); "" for others.
	Modules, Base string
}

// Kernel are the packages that livesplice is told of as --kernel, those of a split image among them.
func (f Files) Kernel() []string {
	return append([]string{f.Image, f.Headers, f.HeadersCommon}, f.Parts()...)
}

// Parts are the packages that belong to a split image.
func (f Files) Parts() []string {
	if f.Modules == "" {
		return nil
	}
	return []string{f.Modules, f.Base}
}

var seriesRE = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)

// Kernels are the kernels of a series ("6.1") that the archive holds whole today, oldest first. A series of which it
// holds none is an error.
func (a *Archive) Kernels(ctx context.Context, series string) ([]Kernel, error) {
	if !seriesRE.MatchString(series) {
		return nil, fmt.Errorf("kernel series %q: want MAJOR.MINOR", series)
	}
	dir, err := a.lists(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	out, err := apt(ctx, dir, "", "apt-cache", "pkgnames", "linux-")
	if err != nil {
		return nil, fmt.Errorf("apt-cache pkgnames: %w", err)
	}
	names := strings.Fields(out)
	abis := wholeABIs(names, series)
	if len(abis) == 0 || !slices.Contains(names, "linux-source-"+series) {
		return nil, fmt.Errorf("kernel series %q: apt's sources have no such kernel with headers and source", series)
	}
	wanted := []string{"linux-source-" + series}
	for _, abi := range abis {
		wanted = append(wanted, imageName(abi), headersName(abi), commonName(abi))
		for _, n := range splitNames(abi) {
			if slices.Contains(names, n) {
				wanted = append(wanted, n)
			}
		}
	}
	pkgs, err := a.show(ctx, wanted...)
	if err != nil {
		return nil, err
	}
	kernels := wholeKernels(pkgs, series, abis)
	if len(kernels) == 0 {
		return nil, fmt.Errorf("kernel series %q: no image in apt's sources has headers and source of its version", series)
	}
	for i := range kernels {
		kernels[i].archive = a
	}
	return kernels, nil
}

// Newest is the newest kernel of the newest series that the archive holds whole.
func (a *Archive) Newest(ctx context.Context) (Kernel, error) {
	dir, err := a.lists(ctx, time.Now())
	if err != nil {
		return Kernel{}, err
	}
	out, err := apt(ctx, dir, "", "apt-cache", "pkgnames", "linux-source-")
	if err != nil {
		return Kernel{}, fmt.Errorf("apt-cache pkgnames: %w", err)
	}
	var newest Kernel
	var errs []error
	for _, name := range strings.Fields(out) {
		series := strings.TrimPrefix(name, "linux-source-")
		if !seriesRE.MatchString(series) {
			continue
		}
		kernels, err := a.Kernels(ctx, series)
		if err != nil {
			errs = append(errs, err) // an older series of which the source alone is still there
			continue
		}
		if k := kernels[len(kernels)-1]; newest.Series == "" || version.Compare(newest.image.Version, k.image.Version) < 0 {
			newest = k
		}
	}
	if newest.Series == "" {
		return Kernel{}, fmt.Errorf("no kernel with headers and source: %w", errors.Join(errs...))
	}
	return newest, nil
}

func imageName(abi string) string   { return "linux-image-" + abi + "-amd64" }
func headersName(abi string) string { return "linux-headers-" + abi + "-amd64" }
func commonName(abi string) string  { return "linux-headers-" + abi + "-common" }

// splitNames are the packages that a split image depends on.
func splitNames(abi string) [3]string {
	return [3]string{"linux-binary-" + abi + "-amd64", "linux-modules-" + abi + "-amd64", "linux-base-" + abi + "-amd64"}
}

// wholeABIs are the ABIs of a series for which image and both headers packages are among names. The flavours cloud-amd64
// and rt-amd64 have names that end alike; their -common package does not exist under the name that results.
func wholeABIs(names []string, series string) []string {
	has := map[string]bool{}
	for _, n := range names {
		has[n] = true
	}
	var abis []string
	for _, n := range names {
		abi, ok := strings.CutPrefix(n, "linux-image-")
		if !ok || !strings.HasPrefix(abi, series+".") {
			continue
		}
		if abi, ok = strings.CutSuffix(abi, "-amd64"); ok && has[headersName(abi)] && has[commonName(abi)] {
			abis = append(abis, abi)
		}
	}
	return abis
}

// wholeKernels puts packages of one version together, oldest version first.
func wholeKernels(pkgs []pkg, series string, abis []string) []Kernel {
	find := func(name string, v version.Version) (pkg, bool) {
		i := slices.IndexFunc(pkgs, func(p pkg) bool { return p.Name == name && version.Compare(p.Version, v) == 0 })
		if i < 0 {
			return pkg{}, false
		}
		return pkgs[i], true
	}
	var kernels []Kernel
	for _, abi := range abis {
		for _, image := range pkgs {
			if image.Name != imageName(abi) {
				continue
			}
			headers, ok1 := find(headersName(abi), image.Version)
			common, ok2 := find(commonName(abi), image.Version)
			source, ok3 := find("linux-source-"+series, image.Version)
			if !ok1 || !ok2 || !ok3 {
				continue
			}
			k := Kernel{
				Series: series, ABI: abi, Release: abi + "-amd64", Version: image.Version.String(),
				image: image, headers: headers, common: common, source: source,
			}
			split := splitNames(abi)
			k.binary, ok1 = find(split[0], image.Version)
			k.modules, ok2 = find(split[1], image.Version)
			k.base, ok3 = find(split[2], image.Version)
			if ok1 != ok2 || ok2 != ok3 {
				continue // not uploaded whole
			}
			kernels = append(kernels, k)
		}
	}
	slices.SortFunc(kernels, func(a, b Kernel) int { return version.Compare(a.image.Version, b.image.Version) })
	return kernels
}

// Fetch downloads what is not yet in the download folder, and checks size and SHA256 of what is.
func (k Kernel) Fetch(ctx context.Context) (Files, error) {
	if k.archive == nil {
		return Files{}, errors.New("kernel: not one that Kernels returned")
	}
	var f Files
	for _, w := range []struct {
		p    pkg
		path *string
	}{{k.image, &f.Image}, {k.headers, &f.Headers}, {k.common, &f.HeadersCommon}, {k.source, &f.Source},
		{k.binary, &f.Image}, {k.modules, &f.Modules}, {k.base, &f.Base}} {
		if w.p.Name == "" {
			continue
		}
		path, err := k.archive.fetch(ctx, w.p)
		if err != nil {
			return Files{}, fmt.Errorf("kernel %s %s: %w", k.Release, k.Version, err)
		}
		*w.path = path
	}
	return f, nil
}
