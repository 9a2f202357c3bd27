package kconfig

import (
	"fmt"
	"regexp"
	"strconv"
)

// Release is a parsed `uname -r`, with what the kernel's banner adds. Debian's "6.1.0-54-amd64" is an ABI name: the
// upstream version, 6.1.190, is in the banner only.
type Release struct {
	Text                string // as given: "6.1.0-54-amd64"
	Major, Minor, Patch int    // of Text: 6, 1, 0; Patch is 0 when there is none
	Extra               string // the rest: "-54-amd64"
	Upstream            string // upstream version: "6.1.190" from the banner of Debian, else the numbers of Text
	Package             string // package version in the banner of Debian: "6.1.190-1"; "" if there is none
}

// MaxRelease is the longest release the kernel has room for, in bytes (__NEW_UTS_LEN).
const MaxRelease = 64

var (
	releaseRE = regexp.MustCompile(`^((\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?)([-+._~][A-Za-z0-9-+._~]*)?$`)
	debianRE  = regexp.MustCompile(` Debian ((\d+\.\d+(?:\.\d+)?)[A-Za-z0-9.+~-]*)`)
)

// ParseRelease reads a `uname -r`. banner is linux_banner or `uname -v`; it may be empty.
func ParseRelease(release, banner string) (Release, error) {
	m := releaseRE.FindStringSubmatch(release)
	if m == nil || len(release) > MaxRelease {
		return Release{}, fmt.Errorf("kernel release %q: want MAJOR.MINOR[.PATCH] and a suffix, as uname -r prints", shorten(release))
	}
	r := Release{Text: release, Upstream: m[1], Extra: m[5]}
	for i, n := range []*int{&r.Major, &r.Minor, &r.Patch} {
		*n, _ = strconv.Atoi(m[2+i]) // at most four digits, or empty for the patch
	}
	if m := debianRE.FindStringSubmatch(banner); m != nil {
		r.Package, r.Upstream = m[1], m[2]
	}
	return r, nil
}

// AtLeast says whether the release is major.minor or later.
func (r Release) AtLeast(major, minor int) bool {
	return r.Major > major || r.Major == major && r.Minor >= minor
}

func (r Release) String() string { return r.Text }
