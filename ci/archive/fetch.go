package archive

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"livesplice/pipeline/cache"
)

// debKind is the cache kind of downloaded packages: one folder for each, with the .deb in it.
const debKind = "deb"

// FetchPackage is the path of the .deb of one package in the download folder, downloaded if it is not there yet.
func (a *Archive) FetchPackage(ctx context.Context, name, version string) (string, error) {
	pkgs, err := a.show(ctx, name)
	if err != nil {
		return "", err
	}
	var have []string
	for _, p := range pkgs {
		if p.Version.String() == version {
			return a.fetch(ctx, p)
		}
		have = append(have, p.Version.String())
	}
	return "", fmt.Errorf("package %q: the archive has no version %s, only %s", name, version, strings.Join(have, ", "))
}

// show is what apt knows of the named packages, in all their versions. Names that it does not know are an error.
func (a *Archive) show(ctx context.Context, names ...string) ([]pkg, error) {
	for _, n := range names {
		if !nameRE.MatchString(n) {
			return nil, fmt.Errorf("package %q: not a package name", n)
		}
	}
	dir, err := a.lists(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	out, err := apt(ctx, dir, "", "apt-cache", append([]string{"show", "--all-versions"}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("package %q: %w", strings.Join(names, " "), err)
	}
	return parsePackages(strings.NewReader(out))
}

// fetch is the path of p's .deb, of the size and SHA256 that the archive's index gives. A copy that no longer has them
// is thrown away and downloaded again.
func (a *Archive) fetch(ctx context.Context, p pkg) (string, error) {
	key := p.Name + "-" + p.SHA256[:16]
	download := func(ctx context.Context, tmp string) error { return a.download(ctx, p, tmp) }
	for again := false; ; again = true {
		dir, err := a.cache.Dir(ctx, debKind, key, download)
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, p.fileName())
		err = verify(a.cache, path, p)
		if err == nil {
			return path, nil
		}
		if again {
			return "", err
		}
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
}

func (a *Archive) download(ctx context.Context, p pkg, tmp string) error {
	lists, err := a.lists(ctx, time.Now())
	if err != nil {
		return err
	}
	spec := p.Name + "=" + p.Version.String()
	if _, err := apt(ctx, lists, tmp, "apt-get", "download", spec); err != nil {
		return fmt.Errorf("package %q: download: %w", spec, err)
	}
	// apt writes an epoch's colon as %3a; the name here has none.
	found, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("package %q: apt-get download left %d files, want one .deb", spec, len(found))
	}
	path := filepath.Join(tmp, p.fileName())
	if err := os.Rename(found[0], path); err != nil {
		return err
	}
	return verify(a.cache, path, p)
}

// fileName is <name>_<version without epoch>_<architecture>.deb, as in the archive's pool.
func (p pkg) fileName() string {
	v := p.Version
	v.Epoch = 0
	return fmt.Sprintf("%s_%s_%s.deb", p.Name, v.String(), p.Arch)
}

func verify(c *cache.Cache, path string, p pkg) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.Size() != p.Size {
		return fmt.Errorf("file %q: %d bytes, but the archive's index says %d", path, st.Size(), p.Size)
	}
	sum, err := c.HashFile(path)
	if err != nil {
		return err
	}
	if sum != p.SHA256 {
		return fmt.Errorf("file %q: sha256 %s, but the archive's index says %s", path, sum, p.SHA256)
	}
	return nil
}
