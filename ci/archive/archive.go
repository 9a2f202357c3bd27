// Package archive asks apt which kernels the Debian archive holds and downloads their packages.
//
// It uses the mirrors that the machine has configured, and neither needs nor changes the machine's own package lists:
// lists and packages live in a download folder, $LIVESPLICE_DOWNLOADS or <user cache dir>/livesplice/downloads, which
// any number of processes may share. It needs no privileges.
package archive

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"livesplice/pipeline/cache"
)

// DownloadsVar names the environment variable that moves the download folder.
const DownloadsVar = "LIVESPLICE_DOWNLOADS"

// Archive is the Debian archive as this machine's apt sees it, with a download folder.
type Archive struct {
	cache *cache.Cache
	suite string // "": what the machine has configured

	// Tests have no mirror, and put something else here.
	configured func(ctx context.Context) (string, error)
	update     func(ctx context.Context, dir string) error // fillLists
}

// Open opens the archive with the download folder dir; empty: the one of Dir.
func Open(dir string) (*Archive, error) {
	if dir == "" {
		var err error
		if dir, err = Dir(); err != nil {
			return nil, err
		}
	}
	c, err := cache.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("download folder: %w", err)
	}
	return &Archive{cache: c, configured: configured, update: func(ctx context.Context, dir string) error { return fillLists(ctx, dir, aptConf) }}, nil
}

// OpenSuite is Open for one suite ("trixie", "sid") of Debian, from the mirror that the machine has configured for its own
// release.
func OpenSuite(dir, suite string) (*Archive, error) {
	if !suiteRE.MatchString(suite) {
		return nil, fmt.Errorf("suite %q: not a name", suite)
	}
	a, err := Open(dir)
	if err != nil {
		return nil, err
	}
	s := &suiteSource{own: a, suite: suite}
	return &Archive{cache: a.cache, suite: suite, configured: s.configured, update: s.update}, nil
}

// Dir is the download folder: $LIVESPLICE_DOWNLOADS, or <user cache dir>/livesplice/downloads.
func Dir() (string, error) {
	if dir := os.Getenv(DownloadsVar); dir != "" {
		return dir, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("download folder: %w (set %s)", err, DownloadsVar)
	}
	return filepath.Join(base, "livesplice", "downloads"), nil
}

// Kernels is Archive.Kernels with the default download folder.
func Kernels(ctx context.Context, series string) ([]Kernel, error) {
	a, err := Open("")
	if err != nil {
		return nil, err
	}
	return a.Kernels(ctx, series)
}

// FetchPackage is Archive.FetchPackage with the default download folder.
func FetchPackage(ctx context.Context, name, version string) (string, error) {
	a, err := Open("")
	if err != nil {
		return "", err
	}
	return a.FetchPackage(ctx, name, version)
}
