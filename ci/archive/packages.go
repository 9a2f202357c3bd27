package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"pault.ag/go/debian/control"
	"pault.ag/go/debian/version"
)

// pkg is one binary package that a mirror holds, as its stanza in a Packages index says.
type pkg struct {
	Name    string
	Arch    string
	Version version.Version
	Size    int64  // bytes
	SHA256  string // lower-case hex
	Depends string // as it stands there
}

var (
	sha256RE = regexp.MustCompile(`^[0-9a-f]{64}$`)
	archRE   = regexp.MustCompile(`^[a-z0-9-]+$`)
	nameRE   = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+$`)
)

// parsePackages reads the stanzas that `apt-cache show` prints. A stanza without Filename is that of an installed
// package which no mirror holds any more, and is left out; the same version in two suites counts once.
// Source: deb822(5), "Debian repository format" (Packages indices).
func parsePackages(r io.Reader) ([]pkg, error) {
	reader, err := control.NewParagraphReader(bufio.NewReader(r), nil)
	if err != nil {
		return nil, fmt.Errorf("apt-cache show: %w", err)
	}
	var pkgs []pkg
	seen := map[string]bool{}
	for {
		para, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return pkgs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("apt-cache show: %w", err)
		}
		if para.Values["Filename"] == "" {
			continue
		}
		p, err := newPkg(para.Values)
		if err != nil {
			return nil, fmt.Errorf("apt-cache show: package %q: %w", para.Values["Package"], err)
		}
		key := p.Name + "=" + p.Version.String()
		if !seen[key] {
			seen[key] = true
			pkgs = append(pkgs, p)
		}
	}
}

func newPkg(v map[string]string) (pkg, error) {
	p := pkg{Name: v["Package"], Arch: v["Architecture"], SHA256: strings.ToLower(v["SHA256"]), Depends: v["Depends"]}
	if !nameRE.MatchString(p.Name) {
		return pkg{}, errors.New("not a package name")
	}
	if !archRE.MatchString(p.Arch) {
		return pkg{}, fmt.Errorf("architecture %q: not a name", p.Arch)
	}
	if !sha256RE.MatchString(p.SHA256) {
		return pkg{}, fmt.Errorf("SHA256 %q: want 64 hex digits", p.SHA256)
	}
	var err error
	if p.Version, err = version.Parse(v["Version"]); err != nil {
		return pkg{}, fmt.Errorf("version %q: %w", v["Version"], err)
	}
	if strings.Contains(v["Version"], "/") { // it becomes part of a file name
		return pkg{}, fmt.Errorf("version %q: a slash", v["Version"])
	}
	if p.Size, err = strconv.ParseInt(v["Size"], 10, 64); err != nil || p.Size <= 0 {
		return pkg{}, fmt.Errorf("size %q: want a positive number of bytes", v["Size"])
	}
	return p, nil
}
