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
	archive                        *Archive
}

// Files are the .deb files of a Kernel in the download folder.
type Files struct {
	Image         string // linux-image-<release>, the signed one
	Headers       string // linux-headers-<release>
	HeadersCommon string // linux-headers-<abi>-common
	Source        string // linux-source-<series>
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

func imageName(abi string) string   { return "linux-image-" + abi + "-amd64" }
func headersName(abi string) string { return "linux-headers-" + abi + "-amd64" }
func commonName(abi string) string  { return "linux-headers-" + abi + "-common" }

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
			kernels = append(kernels, Kernel{
				Series: series, ABI: abi, Release: abi + "-amd64", Version: image.Version.String(),
				image: image, headers: headers, common: common, source: source,
			})
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
	}{{k.image, &f.Image}, {k.headers, &f.Headers}, {k.common, &f.HeadersCommon}, {k.source, &f.Source}} {
		path, err := k.archive.fetch(ctx, w.p)
		if err != nil {
			return Files{}, fmt.Errorf("kernel %s %s: %w", k.Release, k.Version, err)
		}
		*w.path = path
	}
	return f, nil
}
