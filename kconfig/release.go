package kconfig

// Release is a parsed `uname -r`.
type Release struct {
	Text                string // as given
	Major, Minor, Patch int    // of the release string: 6, 1, 0 for "6.1.0-54-amd64"
	Extra               string // the rest: "-54-amd64"
	BannerVersion       string // upstream version that the distribution's banner names: "6.1.190"; "" if it names none
	BannerPackage       string // package version in the banner: "6.1.190-1"
}

// ParseRelease reads a `uname -r`. banner may be empty.
func ParseRelease(release, banner string) (Release, error) { panic("later") }

// AtLeast compares the first two numbers.
func (r Release) AtLeast(major, minor int) bool { panic("later") }
